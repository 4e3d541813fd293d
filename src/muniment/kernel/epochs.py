"""What was worked out as of an epoch, and is forgotten when the epoch moves."""

from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class AsOf(Generic[V]):
    """Values by key, all of one epoch. It holds `most` of them, and starts afresh beyond."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._epoch: Hashable = None
        self._values: dict[Hashable, V] = {}

    def get(self, epoch: Hashable, key: Hashable) -> V | None:
        """The value of `key` as of `epoch`, if it is known; values of any other epoch are forgotten."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._values.clear()
        return self._values.get(key)

    def put(self, epoch: Hashable, key: Hashable, value: V) -> None:
        """Keep a value, unless the epoch has moved since it was worked out."""
        if epoch == self._epoch:
            if len(self._values) >= self._most:
                self._values.clear()
            self._values[key] = value

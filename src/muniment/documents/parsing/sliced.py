"""Long rows of values as JSON, slice by slice: of a hundred thousand only those in hand are objects."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from pydantic import PlainSerializer, TypeAdapter, ValidatorFunctionWrapHandler, WrapValidator

T = TypeVar("T")
_LENGTH = 256


class Sliced(Sequence[T]):
    """Values in slices of JSON, each of the same length but the last; every look at one makes it anew."""

    def __init__(self, values: TypeAdapter[tuple[T, ...]], slices: Sequence[str]) -> None:
        self._values, self.slices = values, slices
        self._length = (len(slices) - 1) * _LENGTH + len(values.validate_json(slices[-1])) if slices else 0

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        if isinstance(at, int):
            return self._between(*slice(at, at + 1 or None).indices(self._length)[:2])[0]
        start, stop, step = at.indices(self._length)
        if step != 1:
            raise ValueError("slices have no steps")
        return self._between(start, stop)

    def __iter__(self) -> Iterator[T]:
        for piece in self.slices:
            yield from self._values.validate_json(piece)

    def _between(self, start: int, stop: int) -> tuple[T, ...]:
        first = start // _LENGTH
        found: list[T] = []
        for piece in self.slices[first : -(-stop // _LENGTH)]:
            found += self._values.validate_json(piece)
        return tuple(found[start - first * _LENGTH : stop - first * _LENGTH])


def sliced(values: TypeAdapter[tuple[T, ...]]) -> tuple[WrapValidator, PlainSerializer]:
    """What makes a model's field, a `Sequence` of such values, cross as slices; plain lists are taken, too."""

    def unpack(said: Any, checked: ValidatorFunctionWrapHandler) -> Sequence[T]:
        if isinstance(said, list) and said and isinstance(said[0], str):
            return Sliced(values, said)
        return tuple(checked(said))

    def pack(said: Sequence[T]) -> Sequence[str]:
        if isinstance(said, Sliced):
            return said.slices
        return [
            values.dump_json(tuple(said[start : start + _LENGTH])).decode()
            for start in range(0, len(said), _LENGTH)
        ]

    return WrapValidator(unpack), PlainSerializer(pack, list[str], when_used="json")

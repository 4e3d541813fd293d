"""What waits at the same time is done at once: a commit costs the same for one as for many."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from muniment.kernel.guard import uninterrupted

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")


class _Turn(Generic[T, R]):
    """One who waits; the answer is none where the turn has come to do what waits."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.answer: asyncio.Future[_Answer[R] | None] = asyncio.get_running_loop().create_future()


class _Answer(NamedTuple, Generic[R]):
    result: R


class Together(Generic[T, R]):
    """Whoever has a place does their own at once, with all that waits for one by then; nobody waits for more.

    `most`: of the weights of what is done at once. `left` is told of what was done for those who were cancelled
    meanwhile. Who leads and is cut off, or fails, has the others hear `failed`.
    """

    def __init__(
        self,
        do: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        weight: Callable[[T], int],
        most: int,
        places: int,
        failed: R,
        left: Callable[[Sequence[T]], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._do, self._weight, self._most, self._left = do, weight, most, left
        self._free, self._failed = places, failed
        self._line: deque[_Turn[T, R]] = deque()

    async def take(self, item: T) -> R:
        """What came of it."""
        own: _Turn[T, R] = _Turn(item)
        if self._free:
            self._free -= 1
        else:
            self._line.append(own)
            try:
                answer = await own.answer
            except asyncio.CancelledError:
                if own in self._line:
                    self._line.remove(own)
                elif own.answer.done() and not own.answer.cancelled() and own.answer.result() is None:
                    self._hand_on()
                raise
            if answer is not None:
                return answer.result
        try:
            return await self._lead(own)
        finally:
            self._hand_on()

    async def _lead(self, own: _Turn[T, R]) -> R:
        group, room = [own], self._most - self._weight(own.item)
        while (turn := self._next(room)) is not None:
            group.append(turn)
            room -= self._weight(turn.item)
        results: Sequence[R] = [self._failed] * len(group)
        try:
            results = await self._do([turn.item for turn in group])
        finally:
            for turn, result in zip(group[1:], results[1:], strict=True):
                if not turn.answer.done():
                    turn.answer.set_result(_Answer(result))
            left = [turn.item for turn in group if turn.answer.cancelled()]
            if left and self._left is not None:
                await uninterrupted(self._left(left))
        return results[0]

    def _hand_on(self) -> None:
        """The place goes to who has waited longest."""
        if (turn := self._next()) is not None:
            turn.answer.set_result(None)
        else:
            self._free += 1

    def _next(self, room: int | None = None) -> _Turn[T, R] | None:
        """Who has waited longest, if they fit; whoever was cancelled may not know it yet, and is passed over."""
        while self._line and self._line[0].answer.done():
            self._line.popleft()
        if not self._line or (room is not None and self._weight(self._line[0].item) > room):
            return None
        return self._line.popleft()


class Lines(Generic[K, T, R]):
    """A line for each key, as long as anybody is in it: what takes long in one holds up nobody in another."""

    def __init__(self, line: Callable[[], Together[T, R]]) -> None:
        self._line = line
        self._lines: WeakValueDictionary[K, Together[T, R]] = WeakValueDictionary()

    async def take(self, key: K, item: T) -> R:
        """What came of it."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = self._line()
        return await line.take(item)

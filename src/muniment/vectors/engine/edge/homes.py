"""Where each point of a shard is from, told without a look at its payload.

To read 250 payloads takes 2 ms, and 15 where they lie in pages that nobody has touched yet: of a million points
that is nearly every search. So all are read once, in the order of their ids, while nobody asks anything.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from qdrant_edge import EdgeShard, Record, ScrollRequest

from muniment.vectors.engine.edge.point import uuid
from muniment.vectors.engine.engine import EnginePoint, Home

_FIELDS = list(Home._fields)
_STEP_POINTS = 256
"""2 ms, and up to 30 where they come from a disk: a question waits no longer."""

_MOST_HOMES = 200_000
"""So many documents are told apart: 50 MB. Points of others are looked up when they are found."""

_MOST_LATE = 100_000
"""12 MB of points that came, or were found, since."""

_LEAST_ROOM = 1024
_HALF_BITS = 64
_HALF = (1 << _HALF_BITS) - 1
_UNKNOWN = -1


class Homes:
    """A table of all points by their ids, and what is not in it yet."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """After writes that nobody counted: all is read anew."""
        self._homes: list[Home] = []
        self._numbers: dict[Home, int] = {}
        self._table = _Table()
        self._late: dict[int, Home] = {}
        self._next: UUID | None = None
        self.complete = False
        """Whether all points are read, or too many documents."""

    def learn(self, shard: EdgeShard) -> None:
        """Read some more points."""
        request = ScrollRequest(offset=self._next, limit=_STEP_POINTS, with_payload=_FIELDS)
        records, following = shard.scroll(request)
        self._table.append([_point(r) for r in records], [self._number(_home(r)) for r in records])
        self._next = None if following is None else uuid(following)
        self.complete = self._next is None or len(self._homes) > _MOST_HOMES

    def put(self, points: Sequence[EnginePoint]) -> None:
        """These came, and say where they are from."""
        self._note({point.id.int: _home_in(point.payload) for point in points})

    def changed(self, ids: Sequence[UUID], payload: Mapping[str, object]) -> None:
        """These keys of their payloads were replaced."""
        said = {name: str(payload[name]) for name in _FIELDS if name in payload}
        if said:
            self._note({point: home._replace(**said) for point, home in self._known(ids).items()})

    def of(self, shard: EdgeShard, ids: Sequence[UUID]) -> list[Home]:
        """Where each of these is from. All of them exist."""
        homes = self._known(ids)
        unread: list[int | UUID | str] = [point for point in ids if point.int not in homes]
        if unread:
            read = {_point(record): _home(record) for record in shard.retrieve(unread, _FIELDS, False)}
            self._note(read)
            homes |= read
        return [homes[point.int] for point in ids]

    def _known(self, ids: Sequence[UUID]) -> dict[int, Home]:
        """Of those that need not be looked up."""
        points = [point.int for point in ids]
        homes = {point: self._late[point] for point in points if point in self._late}
        for point, number in zip(points, self._table.numbers(points), strict=True):
            if number != _UNKNOWN:
                homes[point] = self._homes[number]
        return homes

    def _note(self, homes: Mapping[int, Home]) -> None:
        """In the table's place, if they have one."""
        places = self._table.places(list(homes))
        for place, home in zip(places, homes.values(), strict=True):
            if place != _UNKNOWN:
                self._table.replace(place, self._number(home))
        if len(self._homes) > 2 * _MOST_HOMES:  # most of them nobody's any more
            self.clear()
            return
        late = {p: home for (p, home), place in zip(homes.items(), places, strict=True) if place == _UNKNOWN}
        if len(self._late) + len(late) > _MOST_LATE:
            self._late.clear()
        self._late.update(late)

    def _number(self, home: Home) -> int:
        number = self._numbers.setdefault(home, len(self._homes))
        if number == len(self._homes):
            self._homes.append(home)
        return number


class _Table:
    """Numbers of homes by ids, 20 bytes each: appended in the order of ids, and found by halves of these."""

    def __init__(self) -> None:
        self._count = 0
        self._highs, self._lows = np.empty(0, np.uint64), np.empty(0, np.uint64)
        self._numbers = np.empty(0, np.int32)

    def append(self, points: Sequence[int], numbers: Sequence[int]) -> None:
        start, end = self._count, self._count + len(points)
        if end > len(self._highs):
            room = max(_LEAST_ROOM, end + end // 2)
            for column in (self._highs, self._lows, self._numbers):
                column.resize(room, refcheck=False)
        self._highs[start:end] = [point >> _HALF_BITS for point in points]
        self._lows[start:end] = [point & _HALF for point in points]
        self._numbers[start:end] = numbers
        self._count = end

    def numbers(self, points: Sequence[int]) -> list[int]:
        """`_UNKNOWN` of those that are not in it; nor is one of two that share an upper half."""
        return [_UNKNOWN if place == _UNKNOWN else int(self._numbers[place]) for place in self.places(points)]

    def replace(self, place: int, number: int) -> None:
        """What stands there from now on."""
        self._numbers[place] = number

    def places(self, points: Sequence[int]) -> list[int]:
        """Where the numbers of these are; `_UNKNOWN` as above."""
        if not self._count:
            return [_UNKNOWN] * len(points)
        highs = np.array([point >> _HALF_BITS for point in points], np.uint64)
        lows = np.array([point & _HALF for point in points], np.uint64)
        places = np.minimum(np.searchsorted(self._highs[: self._count], highs), self._count - 1)
        same = (self._highs[places] == highs) & (self._lows[places] == lows)
        found: list[int] = np.where(same, places, _UNKNOWN).tolist()
        return found


def _point(record: Record) -> int:
    return uuid(record.id).int


def _home(record: Record) -> Home:
    return _home_in(record.payload or {})


def _home_in(payload: Mapping[str, object]) -> Home:
    return Home(*(str(payload.get(name, "")) for name in _FIELDS))

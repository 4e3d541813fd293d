"""A child process of the vectors room: `python -m …child FD PARENT FOLDER LOCK_SECONDS [INDEX SHARD]`.

It answers one frame after another on one thread until the socket ends, and never outlives its parent.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine.copies.oplog import Position
from muniment.vectors.engine.edge import gather as edge_gather
from muniment.vectors.engine.edge import search as edge_search
from muniment.vectors.engine.edge.opened import OpenIndex
from muniment.vectors.engine.edge.resident import Mapped
from muniment.vectors.engine.edge.shards import ENGINE, EdgeShards
from muniment.vectors.engine.engine import EngineQuery, Gathering, Matching, Nearest
from muniment.vectors.engine.processes.frames import Frame, pack_ids, send, unpack_ids
from muniment.vectors.engine.processes.points import unpack_points
from muniment.vectors.engine.processes.spawning import Answers, connected, serve

_FILTER: TypeAdapter[Filter] = TypeAdapter(Filter)


class Desk:
    """Reads a frame, asks the shards, and makes the reply."""

    def __init__(self, shards: EdgeShards) -> None:
        self._shards = shards
        self.answers: Answers = {
            "ensure": self._ensure,
            "upsert": self._upsert,
            "delete": self._delete,
            "set_payload": self._set_payload,
            "search": self._search,
            "gather": self._gather,
            "fetch": self._fetch,
            "weigh": self._weigh,
            "count": self._count,
            "tally": self._tally,
            "status": self._status,
            "flush": self._flush,
            "begin_copy": self._begin_copy,
            "copy": self._copy,
            "end_copy": self._end_copy,
            "abandon_copy": self._abandon_copy,
            "replay": self._replay,
            "release": self._release,
        }

    def _ensure(self, asked: Frame) -> Frame:
        self._shards.ensure(asked.head["index"], asked.head["dimensions"], lean=asked.head["lean"])
        return Frame({})

    def _upsert(self, asked: Frame) -> Frame:
        points, vectors = unpack_points(asked.head["payloads"], asked.arrays)
        self._shards.upsert(asked.head["index"], points, vectors)
        if asked.head["last"]:
            self._shards.sync(asked.head["index"])
        return Frame({})

    def _delete(self, asked: Frame) -> Frame:
        more = self._shards.delete(asked.head["index"], _condition(asked), asked.head["limit"])
        if not more:
            self._shards.sync(asked.head["index"])
        return Frame({"more": more})

    def _set_payload(self, asked: Frame) -> Frame:
        start = asked.head["start"]
        more = self._shards.set_payload(
            asked.head["index"],
            _condition(asked),
            asked.head["payload"],
            asked.head["limit"],
            None if start is None else UUID(start),
        )
        if more is None:
            self._shards.sync(asked.head["index"])
        return Frame({"start": None if more is None else str(more)})

    def _search(self, asked: Frame) -> Frame:
        arrays = iter(asked.arrays)
        queries: list[EngineQuery] = [
            Nearest(next(arrays), limit)
            if kind == "dense"
            else Matching(Keywords(next(arrays), next(arrays)), limit)
            for kind, limit in asked.head["queries"]
        ]
        lists = edge_search.search(self._index(asked), queries, _condition(asked))
        return Frame(
            {"of": [[(point.document, point.version) for point in points] for points in lists]},
            tuple(
                array
                for points in lists
                for array in (
                    pack_ids([point.id for point in points]),
                    np.array([point.score for point in points], np.float32),
                )
            ),
        )

    def _gather(self, asked: Frame) -> Frame:
        arrays = iter(asked.arrays)
        vector = next(arrays) if asked.head["dense"] else None
        families: dict[Signal, Keywords] = {
            name: Keywords(next(arrays), next(arrays)) for name in asked.head["families"]
        }
        query = Gathering(vector, families, asked.head["pool"], asked.head["near"])
        found = edge_gather.gather(self._index(asked), query, _condition(asked))
        homes = list(dict.fromkeys(found.homes))
        numbers = {home: number for number, home in enumerate(homes)}
        return Frame(
            {"signals": found.signals, "full": found.full, "homes": homes},
            (pack_ids(found.ids), np.array([numbers[home] for home in found.homes], np.uint32), found.scores),
        )

    def _fetch(self, asked: Frame) -> Frame:
        ids, vectors = edge_search.fetch(self._index(asked), unpack_ids(asked.arrays[0]))
        return Frame({}, (pack_ids(ids), vectors))

    def _weigh(self, asked: Frame) -> Frame:
        terms = asked.arrays[0].tolist()
        return Frame({}, (edge_search.weigh(self._index(asked), terms, _condition(asked)),))

    def _count(self, asked: Frame) -> Frame:
        return Frame({"count": edge_search.count(self._index(asked), _condition(asked))})

    def _tally(self, asked: Frame) -> Frame:
        counts = edge_search.tally(self._index(asked), asked.head["field"], _condition(asked))
        return Frame({"counts": counts})

    def _flush(self, asked: Frame) -> Frame:
        self._shards.flush(asked.head["index"])
        return Frame({})

    def _begin_copy(self, asked: Frame) -> Frame:
        return Frame({"points": self._shards.begin_copy(asked.head["index"], asked.head["shard"])})

    def _copy(self, asked: Frame) -> Frame:
        return Frame({"more": self._shards.copying(asked.head["index"]).more(asked.head["limit"])})

    def _end_copy(self, asked: Frame) -> Frame:
        end = self._shards.copying(asked.head["index"]).end()
        self._shards.end_copy(asked.head["index"])
        return Frame({"end": end})

    def _abandon_copy(self, asked: Frame) -> Frame:
        self._shards.end_copy(asked.head["index"])
        return Frame({})

    def _replay(self, asked: Frame) -> Frame:
        index, start = asked.head["index"], Position(*asked.head["start"])
        at = self._shards.replay(index, asked.head["shard"], start, asked.head["most"])
        if asked.head["last"]:
            self._shards.sync(index)
        return Frame({"at": at})

    def _release(self, asked: Frame) -> Frame:
        self._shards.release(asked.head["index"])
        return Frame({})

    def _index(self, asked: Frame) -> OpenIndex:
        return self._shards.index(asked.head["index"])

    def _status(self, _: Frame) -> Frame:
        return Frame({"engine": ENGINE, "indexes": [s.model_dump() for s in self._shards.status()]})


def _condition(asked: Frame) -> Filter:
    return _FILTER.validate_python(asked.head["filter"])


async def main(arguments: list[str]) -> None:
    """Open the shards, say so with a first frame, and serve."""
    channel, parent, folder, lock_seconds, *only = arguments
    reader, writer = await connected(channel, parent)
    shards = EdgeShards(Path(folder), (only[0], only[1]) if only else None)
    await shards.open(float(lock_seconds))
    mapped = Mapped(Path(folder), lambda: sum(index.points for index in shards.status()))

    def between() -> None:
        shards.checkpoint()
        mapped.bound()

    try:
        with suppress(ConnectionError):  # the parent ended before this process was ready
            await send(writer, Frame({"ready": True}))
            await serve(reader, writer, Desk(shards).answers, between=between, leisure=shards.prepare)
    finally:
        shards.close()
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

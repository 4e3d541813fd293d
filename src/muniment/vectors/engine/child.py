"""The child process of the vectors room: `python -m muniment.vectors.engine.child FD FOLDER PARENT LOCK_SECONDS`.

It answers one frame after another on one thread until the socket ends, and never outlives its parent.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import TypeAdapter

from muniment.kernel.guard import only_problems
from muniment.kernel.logs import configure_logs
from muniment.kernel.problems import Problem
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import Filter, Signal
from muniment.vectors.engine import edge_gather, edge_search
from muniment.vectors.engine.edge import ENGINE, EdgeShards
from muniment.vectors.engine.edge_opened import OpenIndex
from muniment.vectors.engine.engine import EnginePoint, EngineQuery, Gathering, Matching, Nearest
from muniment.vectors.engine.frames import Frame, pack_ids, receive, send, unpack_ids, unpack_ragged

_PR_SET_PDEATHSIG = 1
_FILTER: TypeAdapter[Filter] = TypeAdapter(Filter)


class Desk:
    """Reads each frame, asks the shards, and writes the reply."""

    def __init__(self, shards: EdgeShards) -> None:
        self._shards = shards
        self._answers: dict[str, Callable[[Frame], Frame]] = {
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
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the parent closes the socket, or is gone."""
        while True:
            try:
                asked = await receive(reader)
                await send(writer, await self._answer(asked))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            self._shards.checkpoint()

    async def _answer(self, asked: Frame) -> Frame:
        operation = asked.head["operation"]
        try:
            async with only_problems(f"the vectors engine's {operation}"):
                return self._answers[operation](asked)
        except Problem as problem:
            return Frame({"problem": problem.document()})

    def _ensure(self, asked: Frame) -> Frame:
        self._shards.ensure(asked.head["index"], asked.head["dimensions"], lean=asked.head["lean"])
        return Frame({})

    def _upsert(self, asked: Frame) -> Frame:
        ids, lengths, indices, values, vectors = asked.arrays
        rows = zip(
            unpack_ids(ids),
            asked.head["payloads"],
            unpack_ragged(indices, lengths),
            unpack_ragged(values, lengths),
            strict=True,
        )
        points = [EnginePoint(i, payload, Keywords(terms, weights)) for i, payload, terms, weights in rows]
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
        query = Gathering(vector, families, asked.head["pool"])
        found = edge_gather.gather(self._index(asked), query, _condition(asked))
        names = list(dict.fromkeys(found.documents))
        numbers = {name: number for number, name in enumerate(names)}
        return Frame(
            {"signals": found.signals, "full": found.full, "documents": names},
            (pack_ids(found.ids), np.array([numbers[name] for name in found.documents], np.uint32), found.scores),
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

    def _index(self, asked: Frame) -> OpenIndex:
        return self._shards.index(asked.head["index"])

    def _status(self, _: Frame) -> Frame:
        return Frame({"engine": ENGINE, "indexes": [s.model_dump() for s in self._shards.status()]})


def _condition(asked: Frame) -> Filter:
    return _FILTER.validate_python(asked.head["filter"])


def _die_with(parent: int) -> None:
    # The end of the socket says it too, but only between two calls, and a call can take minutes.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


async def main(arguments: list[str]) -> None:
    """Open the shards, say so with a first frame, and serve."""
    channel, folder, parent, lock_seconds = arguments
    _die_with(int(parent))
    # The parent ends this process by closing the socket, after the last answer.
    for unwanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(unwanted, signal.SIG_IGN)
    configure_logs("info", "auto")
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=int(channel)))
    shards = EdgeShards(Path(folder))
    await shards.open(float(lock_seconds))
    try:
        with suppress(ConnectionError):  # the parent ended before this process was ready
            await send(writer, Frame({"ready": True}))
            await Desk(shards).serve(reader, writer)
    finally:
        shards.close()
        writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

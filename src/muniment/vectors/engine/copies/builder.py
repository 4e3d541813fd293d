"""Builds an indexed shard, or extends one: `python -m …builder FD PARENT SHARD LOG ABOUT NICENESS [extend]`.

It runs on what the machine has to spare and dies with its parent; whatever it leaves is cleared.
"""

import asyncio
import os
import sys
from pathlib import Path

from qdrant_edge import EdgeShard

from muniment.vectors.engine.copies.oplog import LogReader, Position
from muniment.vectors.engine.edge import layout
from muniment.vectors.engine.edge.config import index_fields, indexed
from muniment.vectors.engine.edge.readers import index_numbers
from muniment.vectors.engine.edge.replay import ahead, replay
from muniment.vectors.engine.edge.resident import release, trim
from muniment.vectors.engine.processes.frames import Frame
from muniment.vectors.engine.processes.spawning import connected, serve

_FLUSH_POINTS = 4096


class Build:
    """A shard in the making."""

    def __init__(self, folder: Path, log: Path, about: layout.About, *, extends: bool) -> None:
        """One that `extends` finds a copy of the shard as it was when the log begins, any other no folder."""
        self._folder = folder
        if extends:
            self._shard = EdgeShard.load(str(folder))  # laid out as it was: else all its segments are made again
        else:
            folder.mkdir()
            self._shard = EdgeShard.create(str(folder), indexed(about.dimensions, quantized=about.quantized))
            index_numbers(self._shard)
        index_fields(self._shard, lean=about.lean)
        release(folder)
        self._log = LogReader(log, Position())
        self._unflushed = 0

    def follow(self, asked: Frame) -> Frame:
        """Take some operations; where that leads."""
        self._unflushed += replay(self._shard, ahead(self._log, asked.head["most"]))
        if self._unflushed >= _FLUSH_POINTS:
            self._flush()
        return Frame({"at": self._log.at})

    def optimize(self, _: Frame) -> Frame:
        """A segment of what has come, with its indexes: some minutes."""
        self._flush()
        self._shard.optimize()
        self._flush()
        return Frame({"indexed": self._shard.info().indexed_vectors_count})

    def _flush(self) -> None:
        self._shard.flush()
        release(self._folder)
        trim()
        self._unflushed = 0

    def finish(self, _: Frame) -> Frame:
        """Close the shard, all of it on the disk, for the process that will serve it."""
        self._log.close()
        self._shard.flush()
        self._shard.close()
        for folder, _folders, files in os.walk(self._folder):
            for file in files:
                layout.sync(Path(folder) / file)
            layout.sync(Path(folder))
        return Frame({"at": self._log.at})


async def main(arguments: list[str]) -> None:
    """Serve until the parent closes the socket."""
    channel, parent, folder, log, about, niceness, *how = arguments
    os.nice(int(niceness))
    reader, writer = await connected(channel, parent)
    build = Build(Path(folder), Path(log), layout.About.model_validate_json(about), extends=bool(how))
    answers = {"follow": build.follow, "optimize": build.optimize, "finish": build.finish}
    await serve(reader, writer, answers, between=lambda: None)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

"""Fetches the bundled embedding model into the shared cache, so that no test waits for it."""

import asyncio
import tempfile
from pathlib import Path

from muniment.app import open_room
from muniment.cli.terminal import steps
from muniment.kernel.settings import Configuration
from muniment.models.contract import BUNDLED_EMBEDDING, Models, Prepare, Preparing


async def prepare(data: Path) -> None:
    async with open_room(Configuration.load(flags={"data": data}), Models) as models:
        with steps() as progress:
            async for event in models.prepare(Prepare(name=BUNDLED_EMBEDDING)):
                if isinstance(event, Preparing):
                    progress.show(f"embedding model: {event.step}", event.done, event.total)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(prepare(Path(folder)))

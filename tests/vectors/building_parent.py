"""Fills an index, says the process id of its builder once that has begun to copy, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from muniment.kernel.logs import configure_logs
from vectors.copying import DIMENSIONS, room, some


async def main(folder: Path) -> None:
    configure_logs("error", "json")  # standard output is for the process id alone
    async with room(folder) as opened:
        await opened.engine.ensure("main", DIMENSIONS)
        await opened.engine.upsert("main", *some(600))
        await opened.until(lambda status: "copied" in (status.building or ""))
        sys.stdout.write(f"{opened.copies.process_id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))

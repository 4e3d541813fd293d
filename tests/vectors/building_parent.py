"""Fills an index, says the process id of its builder once that has begun, and waits to be killed.

With `again`, it fills it further once it is indexed, and that builder is meant.
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from muniment.kernel.logs import configure_logs
from vectors.copying import DIMENSIONS, built, room, some


async def main(folder: Path, *, again: bool) -> None:
    configure_logs("error", "json")  # standard output is for the process id alone
    async with room(folder) as opened:
        await opened.engine.ensure("main", DIMENSIONS)
        await opened.engine.upsert("main", *some(600))
        if again:
            await opened.until(built)
            await opened.engine.upsert("main", *some(500, "doc_tail"))
            await opened.until(lambda _: opened.copies.process_id is not None)
        await opened.until(lambda status: again or "copied" in (status.building or ""))
        sys.stdout.write(f"{opened.copies.process_id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), again=sys.argv[2:] == ["again"]))

"""Opens an engine over a folder, makes an index, says the child's process id, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from muniment.kernel.logs import configure_logs
from muniment.vectors.engine.processes.proxy import ChildEngine
from muniment.vectors.engine.processes.supervisor import Supervisor


async def main(folder: Path) -> None:
    configure_logs("info", "json")  # standard output is for the process id alone
    supervisor = Supervisor(folder, queue=8, start_seconds=60)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await ChildEngine(supervisor).ensure("kept", 4)
        sys.stdout.write(f"{supervisor.process_id}\n")
        sys.stdout.flush()


asyncio.run(main(Path(sys.argv[1])))

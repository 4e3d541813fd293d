"""A process to be killed: it prints the id of each job it has enqueued, or of the one it is working on."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from kit.rooms import Amount, open_ledger
from muniment.kernel.jobs import Job, Worker


async def main(url: str, phase: str) -> None:
    async with open_ledger(url) as ledger:
        for _ in range(1 if phase == "working" else 10_000):
            async with ledger.database.write() as connection:
                job_id = await ledger.jobs.enqueue(connection, "add", Amount(value=1))
            if phase == "enqueueing":
                print(job_id, flush=True)  # noqa: T201

        async def handler(job: Job) -> None:
            print(job.id, flush=True)  # noqa: T201
            await asyncio.Event().wait()

        await Worker(ledger.jobs, {"add": handler}, lease_seconds=0.5).run()


asyncio.run(main(*sys.argv[1:]))

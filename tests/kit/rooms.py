"""A small room for the kernel's own tests: one table, jobs and an outbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, String, Table

from muniment.kernel.database import Database, Json, UtcTime, open_database
from muniment.kernel.jobs import Jobs, job_table
from muniment.kernel.model import Model
from muniment.kernel.outbox import Outbox, outbox_table

MIGRATIONS = Path(__file__).parent / "ledger" / "migrations"

METADATA = MetaData()
LINES = Table(
    "lines",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("amount", Integer, nullable=False),
    Column("noted_at", UtcTime),
    Column("extra", Json),
)
JOBS = job_table(METADATA)
OUTBOX = outbox_table(METADATA)


class Amount(Model):
    value: int


class Ledger:
    """Everything a room would hold, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = Jobs(database, JOBS, prefix="run_ledger")
        self.outbox = Outbox(database, OUTBOX)


@asynccontextmanager
async def open_ledger(url: str) -> AsyncIterator[Ledger]:
    async with open_database(url, room="ledger", migrations=MIGRATIONS) as database:
        yield Ledger(database)

import asyncio

from sqlalchemy import func, insert, select, update

from kit.migrations import assert_migrations_match
from kit.rooms import LINES, METADATA, MIGRATIONS, open_ledger


async def test_ten_read_modify_writes_at_once_give_ten(database_url):
    async with open_ledger(database_url) as ledger:
        async with ledger.database.write() as connection:
            await connection.execute(insert(LINES), {"name": "a", "amount": 0})

        async def add_one():
            async with ledger.database.write() as connection:
                row = select(LINES.c.amount).with_for_update()
                amount = await connection.scalar(row)
                await asyncio.sleep(0)
                await connection.execute(update(LINES).values(amount=amount + 1))

        await asyncio.gather(*(add_one() for _ in range(10)))
        async with ledger.database.read() as connection:
            assert await connection.scalar(select(LINES.c.amount)) == 10


async def test_a_read_sees_one_snapshot(database_url):
    async with open_ledger(database_url) as ledger:
        count = select(func.count()).select_from(LINES)
        async with ledger.database.read() as reading:
            assert await reading.scalar(count) == 0
            async with ledger.database.write() as writing:
                await writing.execute(insert(LINES), {"name": "a", "amount": 1})
            assert await reading.scalar(count) == 0
        async with ledger.database.read() as reading:
            assert await reading.scalar(count) == 1


async def test_migrations_match(database_url):
    await assert_migrations_match(METADATA, MIGRATIONS, database_url)

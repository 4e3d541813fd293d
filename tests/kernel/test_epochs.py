from sqlalchemy import func, insert, select

from kit.rooms import LINES, open_ledger
from muniment.kernel.epochs import AsOf, Latest


def test_a_value_is_known_as_of_its_epoch_only() -> None:
    known: AsOf[str] = AsOf()
    assert known.get("e1", "ada") is None
    known.put("e1", "ada", "one")
    assert known.get("e1", "ada") == "one"
    assert known.get("e2", "ada") is None
    assert known.get("e1", "ada") is None


def test_a_value_worked_out_before_the_epoch_moved_is_not_kept() -> None:
    known: AsOf[str] = AsOf()
    known.get("e1", "ada")
    known.get("e2", "bob")
    known.put("e1", "ada", "stale")
    assert known.get("e2", "ada") is None


def test_it_holds_no_more_than_it_may() -> None:
    known: AsOf[int] = AsOf(most=2)
    known.get("e", 0)
    for n in range(3):
        known.put("e", n, n)
    assert [known.get("e", n) for n in range(3)] == [None, None, 2]


async def test_the_latest_is_read_again_after_every_change(database_url):
    reads = []

    async def count(connection):
        found = await connection.scalar(select(func.count()).select_from(LINES))
        reads.append(found)
        return found

    async with open_ledger(database_url) as ledger:
        latest = Latest(ledger.database, count)
        for number in range(3):
            assert [await latest.get(), await latest.get()] == [number, number]
            async with ledger.database.write() as connection:
                await connection.execute(insert(LINES), {"name": f"{number}", "amount": 1})
        once = ledger.database.dialect == "sqlite"  # others may write to a server, so it is asked each time
        assert reads == ([0, 1, 2] if once else [0, 0, 1, 1, 2, 2])


async def test_a_read_that_was_overtaken_by_a_change_is_not_taken_for_the_latest(sqlite_url):
    async with open_ledger(sqlite_url) as ledger:

        async def add():
            async with ledger.database.write() as connection:
                await connection.execute(insert(LINES), {"name": "a", "amount": 1})

        overtaken = [add]

        async def count(connection):
            found = await connection.scalar(select(func.count()).select_from(LINES))
            while overtaken:
                await overtaken.pop()()
            return found

        latest = Latest(ledger.database, count)
        assert await latest.get() == 0
        assert await latest.get() == 1

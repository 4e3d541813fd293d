import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import func, select

from kit.rooms import OUTBOX, Amount, open_ledger
from muniment.kernel.model import now
from muniment.kernel.outbox import Dispatcher
from muniment.kernel.problems import Unavailable


@pytest.fixture
async def ledger(database_url):
    async with open_ledger(database_url) as opened:
        yield opened


class Listener:
    """A subscriber that hears, and does not take what it is told to refuse."""

    def __init__(self, *, refuse=(), times=1000):
        self.heard = []
        self.refuse = dict.fromkeys(refuse, times)

    async def __call__(self, event):
        value = event.data["value"]
        if self.refuse.get(value, 0) > 0:
            self.refuse[value] -= 1
            raise Unavailable("not now")
        self.heard.append(value)

    async def has_heard(self, count):
        async with asyncio.timeout(10):
            while len(self.heard) < count:  # noqa: ASYNC110 - each hearing counts
                await asyncio.sleep(0.005)


@asynccontextmanager
async def dispatching(ledger, *listeners, **options):
    options = {"first_retry_seconds": 0.01, "poll_seconds": 0.02, **options}
    task = asyncio.create_task(Dispatcher(ledger.outbox, {"noted": listeners}, **options).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def put(ledger, *values):
    async with ledger.database.write() as connection:
        for value in values:
            await ledger.outbox.put(connection, "noted", Amount(value=value))


async def rows(ledger):
    async with ledger.database.read() as connection:
        return await connection.scalar(select(func.count()).select_from(OUTBOX))


async def test_events_are_heard_in_order_once_committed_and_then_trimmed(ledger):
    listener = Listener()
    async with dispatching(ledger, listener, poll_seconds=60):
        with pytest.raises(ZeroDivisionError):
            async with ledger.database.write() as connection:
                await ledger.outbox.put(connection, "noted", Amount(value=99))
                raise ZeroDivisionError
        await put(ledger, 1, 2, 3)
        await listener.has_heard(3)
    assert listener.heard == [1, 2, 3]
    assert await rows(ledger) == 0


async def test_what_was_committed_before_a_restart_is_heard_after_it(ledger):
    await put(ledger, 1)
    listener = Listener()
    async with dispatching(ledger, listener):
        await listener.has_heard(1)
    assert listener.heard == [1]


async def test_a_refused_event_comes_again_and_only_to_who_refused_it(ledger):
    willing, unwilling = Listener(), Listener(refuse=[1], times=3)
    async with dispatching(ledger, willing, unwilling):
        await put(ledger, 1, 2)
        await unwilling.has_heard(2)
    assert unwilling.heard == [2, 1]
    assert willing.heard == [1, 2]


async def dead_letter(ledger):
    """The first event that was given up."""
    query = select(ledger.outbox.table).where(ledger.outbox.table.c.dead)
    async with asyncio.timeout(10):
        while True:
            async with ledger.database.read() as connection:
                if (row := (await connection.execute(query)).first()) is not None:
                    return row


async def test_a_poisoned_event_dies_with_its_reason_and_holds_up_no_other(ledger):
    listener = Listener(refuse=[1], times=2)
    async with dispatching(ledger, listener, max_attempts=2):
        await put(ledger, 1, 2)
        dead = await dead_letter(ledger)
    assert listener.heard == [2]
    assert (dead.attempts, dead.problem["detail"]) == (2, "not now")
    assert await rows(ledger) == 1


async def test_a_dead_event_is_revived_or_dropped(ledger):
    listener = Listener(refuse=[1, 2], times=1)
    async with dispatching(ledger, listener, max_attempts=1):
        await put(ledger, 1, 2)
        async with asyncio.timeout(10):
            while len(await dead(ledger)) < 2:  # noqa: ASYNC110 - rows, not an event
                await asyncio.sleep(0.005)
        second, first = await dead(ledger)
        assert [event["data"]["value"] for event in (first, second)] == [1, 2]
        assert first["next_attempt_at"] <= now()
        async with ledger.database.write() as connection:
            assert await ledger.outbox.revive(connection, first["id"])
            assert await ledger.outbox.drop(connection, second["id"])
        await listener.has_heard(1)
    assert (listener.heard, await rows(ledger)) == ([1], 0)
    async with ledger.database.write() as connection:
        assert not await ledger.outbox.revive(connection, first["id"])
        assert not await ledger.outbox.drop(connection, second["id"])


async def dead(ledger):
    async with ledger.database.read() as connection:
        return await ledger.outbox.dead(connection, limit=10)


async def test_a_subscriber_that_hangs_is_left(ledger):
    async def hangs(_event):
        await asyncio.Event().wait()

    async with dispatching(ledger, hangs, max_attempts=1, patience_seconds=0.05):
        await put(ledger, 1)
        dead = await dead_letter(ledger)
    assert dead.problem["title"] == "Deadline exceeded"


async def test_two_dispatchers_keep_the_order(postgresql_url):
    async with open_ledger(postgresql_url) as ledger:
        listener = Listener()
        async with dispatching(ledger, listener), dispatching(ledger, listener):
            for start in range(0, 100, 10):
                await put(ledger, *range(start, start + 10))
            await listener.has_heard(100)
    assert listener.heard == list(range(100))

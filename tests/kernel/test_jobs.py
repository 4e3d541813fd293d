import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from kit.rooms import JOBS, Amount, open_ledger
from muniment.kernel.jobs import JobMissing, Worker
from muniment.kernel.problems import Missing, Unavailable

CHILD = Path(__file__).parent.parent / "kit" / "crashing_worker.py"


@pytest.fixture
async def ledger(database_url):
    async with open_ledger(database_url) as opened:
        yield opened


async def enqueue(ledger, *values, subject="", max_attempts=5):
    async with ledger.database.write() as connection:
        return [
            await ledger.jobs.enqueue(
                connection, "add", Amount(value=value), subject=subject, max_attempts=max_attempts
            )
            for value in values
        ]


async def get(ledger, job_id):
    async with ledger.database.read() as connection:
        return await ledger.jobs.get(connection, job_id)


@asynccontextmanager
async def working(ledger, handler, **options):
    options = {"first_retry_seconds": 0.01, "poll_seconds": 0.02, **options}
    task = asyncio.create_task(Worker(ledger.jobs, {"add": handler}, **options).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(ledger, job_id, state):
    async with asyncio.timeout(10):
        while (job := await get(ledger, job_id)).state != state:  # noqa: ASYNC110 - a row, not an event
            await asyncio.sleep(0.01)
    return job


async def test_a_job_is_done_once_and_remembered(ledger):
    seen = []

    async def handler(job):
        seen.append(job.request["value"])
        await ledger.jobs.progress(job.id, 1, 2)

    (job_id,) = await enqueue(ledger, 7)
    async with working(ledger, handler):
        job = await until(ledger, job_id, "succeeded")
    assert seen == [7]
    assert job.id.startswith("run_ledger_")
    assert (job.attempts, job.progress_done, job.progress_total, job.problem) == (1, 1, 2, None)
    assert job.created_at <= job.started_at <= job.ended_at


async def test_enqueue_wakes_the_worker_and_a_rollback_leaves_nothing(ledger):
    done = asyncio.Event()

    async def handler(_job):
        done.set()

    async with working(ledger, handler, poll_seconds=60, lease_seconds=600) as _:
        with pytest.raises(ZeroDivisionError):
            async with ledger.database.write() as connection:
                await ledger.jobs.enqueue(connection, "add", Amount(value=1))
                raise ZeroDivisionError
        assert not ledger.jobs.stirred.is_set()
        await enqueue(ledger, 2)
        async with asyncio.timeout(5):
            await done.wait()
    async with ledger.database.read() as connection:
        assert (await connection.execute(select(JOBS.c.request))).scalars().all() == [{"value": 2}]


async def test_a_retryable_problem_is_tried_again(ledger):
    async def handler(job):
        if job.attempts < 3:
            raise Unavailable("not yet")

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler):
        job = await until(ledger, job_id, "succeeded")
    assert job.attempts == 3
    assert job.problem is None


async def test_attempts_end_in_a_dead_letter_that_can_be_retried(ledger):
    broken = True

    async def handler(_job):
        if broken:
            raise Unavailable("down")

    (job_id,) = await enqueue(ledger, 1, max_attempts=2)
    async with working(ledger, handler):
        job = await until(ledger, job_id, "failed")
        assert (job.attempts, job.problem["detail"]) == (2, "down")
        broken = False
        async with ledger.database.write() as connection:
            await ledger.jobs.retry(connection, job_id)
        assert (await until(ledger, job_id, "succeeded")).attempts == 1


@pytest.mark.parametrize(("failure", "status"), [(Missing("gone"), 404), (ZeroDivisionError("x"), 500)])
async def test_other_failures_end_the_job_at_once(ledger, failure, status):
    async def handler(_job):
        raise failure

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler):
        job = await until(ledger, job_id, "failed")
    assert (job.attempts, job.problem["status"]) == (1, status)


async def test_a_full_subject_does_not_hold_up_another(ledger):
    order = []

    async def handler(job):
        order.append(job.subject)

    await enqueue(ledger, *range(20), subject="full")
    last = (await enqueue(ledger, 1, subject="small"))[0]
    async with working(ledger, handler, concurrency=1):
        await until(ledger, last, "succeeded")
    assert order.index("small") <= 1


async def test_what_is_to_go_ahead_is_done_before_what_waits(ledger):
    order = []

    async def handler(job):
        order.append(job.request["value"])

    *_, last = await enqueue(ledger, 1, 2, 3, subject="one")
    async with ledger.database.write() as connection:
        await ledger.jobs.enqueue(connection, "add", Amount(value=9), subject="one", ahead=True)
    async with working(ledger, handler, concurrency=1):
        await until(ledger, last, "succeeded")
    assert order == [9, 1, 2, 3]


async def test_long_jobs_of_one_subject_leave_a_place_to_others(ledger):
    held, release = [], asyncio.Event()

    async def handler(job):
        if job.subject == "long":
            held.append(job.id)
            await release.wait()

    long = await enqueue(ledger, *range(6), subject="long")
    async with working(ledger, handler, concurrency=4):
        (other,) = await enqueue(ledger, 1, subject="short")
        await until(ledger, other, "succeeded")
        assert len(held) <= 3
        release.set()
        for job_id in long:
            await until(ledger, job_id, "succeeded")


@pytest.mark.parametrize("other", ["a", "c"])
async def test_others_are_taken_on_either_side_of_a_full_subject(ledger, other):
    held, release = asyncio.Event(), asyncio.Event()

    async def handler(job):
        if job.subject == "b":
            held.set()
            await release.wait()

    long = await enqueue(ledger, *range(4), subject="b")
    async with working(ledger, handler, concurrency=2):
        await held.wait()
        for subject in (other, "a", "c", other):
            (job_id,) = await enqueue(ledger, 1, subject=subject)
            await until(ledger, job_id, "succeeded")
        assert not {(await get(ledger, job_id)).state for job_id in long} & {"succeeded", "failed"}
        release.set()
        for job_id in long:
            await until(ledger, job_id, "succeeded")


async def test_a_subject_that_is_alone_with_one_place_has_it(ledger):
    done = []

    async def handler(job):
        done.append(job.id)

    (job_id,) = await enqueue(ledger, 1, subject="only")
    async with working(ledger, handler, concurrency=1):
        await until(ledger, job_id, "succeeded")
    assert done == [job_id]


async def test_no_more_than_concurrency_at_once(ledger):
    running, most = 0, 0

    async def handler(_job):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    ids = await enqueue(ledger, *range(6), subject="a") + await enqueue(ledger, *range(6), subject="b")
    async with working(ledger, handler, concurrency=3):
        for job_id in ids:
            await until(ledger, job_id, "succeeded")
    assert most == 3


async def test_cancelling_a_running_job_interrupts_it(ledger):
    started, interrupted = asyncio.Event(), asyncio.Event()

    async def handler(_job):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler), asyncio.timeout(5):
        await started.wait()
        async with ledger.database.write() as connection:
            assert (await ledger.jobs.cancel(connection, job_id)).state == "cancelled"
        await interrupted.wait()
    assert (await get(ledger, job_id)).state == "cancelled"


async def test_a_job_that_is_retried_while_it_still_ends_is_done_anew_and_once(ledger):
    begun, done = [], []
    started, ending, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(job):
        begun.append(job.id)
        if len(begun) > 1:
            done.append(job.id)
            return
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await end.wait()

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler):
        await started.wait()
        async with ledger.database.write() as connection:
            await ledger.jobs.cancel(connection, job_id)
            await ledger.jobs.retry(connection, job_id)
        await ending.wait()
        (other,) = await enqueue(ledger, 2)
        await until(ledger, other, "succeeded")
        assert begun.count(job_id) == 1
        end.set()
        await until(ledger, job_id, "succeeded")
    assert done.count(job_id) == 1


async def test_a_stopped_worker_gives_its_jobs_back(ledger):
    started = asyncio.Event()

    async def handler(_job):
        started.set()
        await asyncio.Event().wait()

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler):
        await started.wait()
    job = await get(ledger, job_id)
    assert (job.state, job.attempts) == ("queued", 0)


async def test_a_long_job_keeps_its_lease(ledger):
    calls, release = 0, asyncio.Event()

    async def handler(_job):
        nonlocal calls
        calls += 1
        await release.wait()

    (job_id,) = await enqueue(ledger, 1)
    async with working(ledger, handler, lease_seconds=0.3), working(ledger, handler, lease_seconds=0.3):
        await asyncio.sleep(0.9)  # three leases long
        release.set()
        await until(ledger, job_id, "succeeded")
    assert calls == 1


async def test_two_workers_share_without_doing_anything_twice(ledger):
    seen = []

    async def handler(job):
        seen.append(job.request["value"])

    ids = await enqueue(ledger, *range(30))
    async with working(ledger, handler), working(ledger, handler):
        for job_id in ids:
            await until(ledger, job_id, "succeeded")
    assert sorted(seen) == list(range(30))


@pytest.mark.parametrize("phase", ["working", "enqueueing"])
async def test_kill_loses_nothing(database_url, phase):
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), database_url, phase, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged = [
        (await child.stdout.readline()).decode().strip() for _ in range(1 if phase == "working" else 20)
    ]
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    rest = (await child.stdout.read()).decode().split("\n")
    acknowledged += [line for line in rest[:-1] if line]

    async def handler(_job):
        return

    async with open_ledger(database_url) as ledger, working(ledger, handler):
        jobs = [await until(ledger, job_id, "succeeded") for job_id in acknowledged]
    assert {job.attempts for job in jobs} == ({2} if phase == "working" else {1})


async def test_a_job_whose_workers_all_die_is_given_up(ledger):
    async def handler(_job):
        await asyncio.Event().wait()

    (job_id,) = await enqueue(ledger, 1, max_attempts=1)
    dead = Worker(ledger.jobs, {"add": handler}, lease_seconds=0.01)
    await dead._turn()  # claims, and then never beats again
    async with working(ledger, handler):
        job = await until(ledger, job_id, "failed")
    assert job.problem["title"] == "Worker lost"
    for task in dead._running.values():
        task.cancel()


async def test_a_lease_of_a_worker_known_to_be_dead_can_be_ended_at_once(ledger):
    async def stalls(_job):
        await asyncio.Event().wait()

    async def handler(_job):
        return

    (job_id,) = await enqueue(ledger, 1)
    dead = Worker(ledger.jobs, {"add": stalls}, lease_seconds=600)
    await dead._turn()
    await ledger.jobs.end_leases()
    async with working(ledger, handler):
        assert (await until(ledger, job_id, "succeeded")).attempts == 2
    for task in dead._running.values():
        task.cancel()


async def test_jobs_are_counted_by_state_and_one_that_is_not_there_is_missing(ledger):
    await enqueue(ledger, 1, 2, 3, subject="a")
    async with ledger.database.read() as connection:
        counted = await ledger.jobs.count(connection)
        assert (counted["queued"], counted["failed"]) == (3, 0)
        with pytest.raises(JobMissing):
            await ledger.jobs.get(connection, "run_ledger_none")

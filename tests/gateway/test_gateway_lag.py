"""What blocks the event loop is seen in its lag."""

import asyncio
import time

from prometheus_client import REGISTRY

from muniment.gateway.loop_lag import INTERVAL_SECONDS, LoopLag


def counted() -> float:
    return REGISTRY.get_sample_value("muniment_event_loop_lag_seconds_count") or 0


async def test_a_blocked_loop_is_seen_and_an_idle_one_is_not() -> None:
    lag, before = LoopLag(), counted()
    assert lag.worst_ms == 0
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)
    blocked = INTERVAL_SECONDS + 0.1
    time.sleep(blocked)  # noqa: ASYNC251 - what must be seen
    while counted() == before:  # noqa: ASYNC110 - a counter tells no event
        await asyncio.sleep(0.01)
    assert 90 <= lag.worst_ms <= 5_000
    watching.cancel()
    await asyncio.wait({watching})

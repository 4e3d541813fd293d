"""Callers of the search API, in a process of their own; prints what they met (in ms) as one line of JSON.

    python -m bench.callers ADDRESS KEY CALLERS SECONDS REPEATED SEED < queries

`REPEATED` is the share of queries drawn from a set of fifty; all others are asked once only.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator

import aiohttp

POPULAR = 50


def main() -> None:
    """Call, and print."""
    address, key, callers, seconds, repeated, seed = sys.argv[1:]
    queries = _queries(sys.stdin.read().splitlines(), float(repeated), int(seed))
    print(json.dumps(asyncio.run(_call(f"{address}/api/v1/search", key, int(callers), float(seconds), queries))))


def _queries(texts: list[str], repeated: float, seed: int) -> Iterator[str]:
    draw = random.Random(seed)
    number = 0
    while True:
        if draw.random() < repeated:
            yield texts[draw.randrange(POPULAR)]
        else:
            number += 1
            yield f"{texts[POPULAR + number % (len(texts) - POPULAR)]} {seed}.{number}"


async def _call(
    url: str, key: str, callers: int, seconds: float, queries: Iterator[str]
) -> dict[str, float | list[int]]:
    taken: list[float] = []
    failures: list[int] = []
    headers = {"authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=callers)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def caller(until: float) -> None:
            while time.perf_counter() < until:
                began = time.perf_counter()
                async with session.post(url, json={"query": next(queries), "limit": 10}) as answer:
                    await answer.read()
                taken.append(time.perf_counter() - began)
                if answer.status != 200:
                    failures.append(answer.status)

        began = time.perf_counter()
        await asyncio.gather(*(caller(began + seconds) for _ in range(callers)))
        total = time.perf_counter() - began
    taken.sort()
    return {
        "requests": len(taken),
        "rate": len(taken) / total,
        "p50": 1000 * taken[len(taken) // 2],
        "p95": 1000 * taken[int(0.95 * len(taken))],
        "worst": 1000 * taken[-1],
        "failures": failures[:10],
    }


if __name__ == "__main__":
    main()

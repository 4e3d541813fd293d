"""A query that nothing matches, with its slips of one edit mended from what the nearest spellings say."""

import asyncio

from muniment.documents.contract import Documents, Hydrate
from muniment.kernel.caller import caller
from muniment.retrieval.candidates import chunk_id, gathered
from muniment.retrieval.contract import Weights
from muniment.retrieval.scope import Scope
from muniment.text.terms import language_of
from muniment.text.typo import mended
from muniment.vectors.contract import GatherCandidates, Vectors

_POOL = 50
_READ = 20
"""Passages whose words are looked through, the best by their spelling; a rare word stands in few."""


async def without_slips(
    engine: Vectors, documents: Documents, query: str, scope: Scope, weights: Weights
) -> str | None:
    """The query as it was probably meant, or None; `weights` are its own, in the language that it was read in."""
    asked = [
        GatherCandidates(
            index=place.name,
            text=query,
            languages=scope.languages,
            pool=_POOL,
            readers=caller().tokens,
            filter=place.filter,
        )
        for place in scope.places
    ]
    best: list[tuple[float, str]] = []
    for candidates in await asyncio.gather(*(gathered(engine, gather) for gather in asked)):
        if candidates is not None and "grams" in candidates.signals:
            spelling = candidates.scores[candidates.signals.index("grams")].tolist()
            best += zip(spelling, map(chunk_id, candidates.ids), strict=True)
    nearest = tuple(chunk for _, chunk in sorted(best, reverse=True)[:_READ])
    if not nearest:
        return None
    read = (await documents.hydrate(Hydrate(chunks=nearest))).passages.values()
    texts = [f"{p.document.title} {' '.join(p.chunk.section)} {p.chunk.text}" for p in read]
    return mended(query, weights.unknown, texts, language_of(query, weights.weights))

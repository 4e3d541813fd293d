"""A query with its slips of one edit mended, from what was found or what the nearest spellings say."""

from collections.abc import Sequence

from muniment.documents.contract import Documents, Hydrate, Passage
from muniment.kernel.caller import caller
from muniment.retrieval.candidates import chunk_ids, gathered, together
from muniment.retrieval.contract import Hit, Weights
from muniment.retrieval.scope import Scope
from muniment.text.terms import language_of
from muniment.text.typo import likely_slips, mended
from muniment.vectors.contract import GatherCandidates, Vectors

_POOL = 50
_READ = 20
"""Passages whose words are looked through, the best by their spelling; a rare word stands in few."""

LOOKED_AT = 10
"""Hits in which a word is looked for before anybody is asked whether it is known."""


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
    for candidates in await together([gathered(engine, gather) for gather in asked]):
        if candidates is not None and "grams" in candidates.signals:
            spelling = candidates.scores[candidates.signals.index("grams")].tolist()
            best += zip(spelling, chunk_ids(candidates.ids), strict=True)
    nearest = tuple(chunk for _, chunk in sorted(best, reverse=True)[:_READ])
    if not nearest:
        return None
    read = (await documents.hydrate(Hydrate(chunks=nearest))).passages.values()
    return mended(query, weights.unknown, map(_said, read), language_of(query, weights.weights))


def suspects(query: str, hits: Sequence[Hit], language: str | None) -> tuple[str, ...]:
    """Words of the query among which a slip is likely, by what was found; asks nobody."""
    return likely_slips(query, map(_said, hits[:LOOKED_AT]), language)


def mended_from(query: str, hits: Sequence[Hit], unknown: Sequence[str], language: str | None) -> str | None:
    """The query as it was probably meant, by the words of what was found."""
    return mended(query, unknown, map(_said, hits[:LOOKED_AT]), language)


def _said(passage: Passage | Hit) -> str:
    return f"{passage.document.title} {' '.join(passage.chunk.section)} {passage.chunk.text}"

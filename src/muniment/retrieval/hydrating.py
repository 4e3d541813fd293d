"""From candidates in their order to hits: the second lock, and one hit for each chunk or document."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from muniment.documents.contract import Documents, Hydrate, Passage
from muniment.retrieval.candidates import Look
from muniment.retrieval.contract import Hit, Scores, Search
from muniment.retrieval.fusion import Ranked
from muniment.retrieval.parents import CommonParents
from muniment.retrieval.wording import explanation

_AT_ONCE = 1000
"""Passages that are read together; of long documents there may be more that wait behind their first."""

_SPARE_FOR_PHRASES = 250
"""Few of the passages with the words say them side by side."""


class Page(NamedTuple):
    """The best hits that pass the second lock, and whether any that came before them did not."""

    hits: list[Hit]
    dropped: bool


async def hydrated(
    documents: Documents, look: Look, ranked: Sequence[Ranked], spare: int, refused: set[str]
) -> Page:
    """Read as far down the order as the limit needs; `spare` more where some drop out.

    Where a document is one hit, the passages after its first are read only if that one drops out. `refused`
    gathers those that do not say what is demanded: a longer order is read without them.
    """
    request = look.request
    spare = max(spare, _SPARE_FOR_PHRASES) if look.phrases else spare
    explained = request.explain and request.mode == "hybrid"  # of one signal there is nothing to tell apart
    hits: list[Hit] = []
    dropped, parents = False, CommonParents()
    waiting = _units((place for place in ranked if place.id not in refused), request)
    while len(hits) < request.limit:
        # Reading ahead costs more than it saves while nothing drops out.
        more = spare if dropped or look.phrases else 0
        if not (batch := list(islice(waiting, request.limit - len(hits) + more))):
            break
        read = await _read(documents, look, [unit[0] for unit in batch], refused)
        rest = [place for unit in batch if unit[0].id not in read for place in unit[1:]]
        if rest:
            read |= await _read(documents, look, rest, refused)
        for unit in batch:
            for place in unit:
                dropped |= place.id not in read and place.id not in refused
                if place.id in read:
                    hits.append(_hit(place, read[place.id], parents, explained=explained))
                    break
    # A document whose best passage dropped out is shown with another one, and stands where that does.
    best = sorted(hits, key=lambda hit: -hit.score)[: request.limit]
    return Page(best, dropped)


def _units(ranked: Iterable[Ranked], request: Search) -> Iterator[list[Ranked]]:
    """The candidates by what is one hit, in their order; a passage only once, though two indexes have it."""
    units: dict[str, list[Ranked]] = {}
    for place in ranked:
        if request.group_by == "document":
            units.setdefault(place.document, []).append(place)
        elif place.id not in units:
            units[place.id] = [place]
            yield units[place.id]
    if request.group_by == "document":
        yield from units.values()


async def _read(
    documents: Documents, look: Look, places: Sequence[Ranked], refused: set[str]
) -> dict[str, Passage]:
    read: dict[str, Passage] = {}
    for start in range(0, len(places), _AT_ONCE):
        chunks = tuple(place.id for place in places[start : start + _AT_ONCE])
        found = await documents.hydrate(Hydrate(chunks=chunks, as_of=look.request.as_of, phrases=look.phrases))
        refused.update(found.unsaid)
        read |= found.passages
    return read


def _hit(place: Ranked, passage: Passage, parents: CommonParents, *, explained: bool) -> Hit:
    return Hit(
        document=passage.document,
        chunk=passage.chunk,
        parent=parents.of(passage),
        score=place.score,
        scores=Scores(dense=place.dense, keyword=place.keyword),
        explanation=explanation(place) if explained else None,
    )

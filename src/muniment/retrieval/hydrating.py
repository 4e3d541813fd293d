"""From candidates in their order to hits: the second lock, and one hit for each chunk or document."""

from collections.abc import Sequence
from typing import NamedTuple

from muniment.documents.contract import Documents, Hydrate, Passage
from muniment.retrieval.candidates import Look
from muniment.retrieval.contract import Hit, Scores
from muniment.retrieval.fusion import Ranked
from muniment.retrieval.parents import with_common_parents
from muniment.retrieval.wording import explanation
from muniment.text.phrases import demanded, says

_SPARE_FOR_PHRASES = 100
"""Few of the passages with the words say them side by side."""


class Page(NamedTuple):
    """The best hits that pass the second lock, and whether any that came before them did not."""

    hits: list[Hit]
    dropped: bool


async def hydrated(documents: Documents, look: Look, ranked: Sequence[Ranked], spare: int) -> Page:
    """Read as far down the order as the limit needs; `spare` more where some drop out or share a document."""
    request = look.request
    spare = max(spare, _SPARE_FOR_PHRASES) if look.phrases else spare
    wanted = demanded(look.phrases)
    hits: dict[str, Hit] = {}
    dropped = False
    waiting = list(ranked)
    while waiting and len(hits) < request.limit:
        # Reading ahead costs more than it saves while nothing drops out and each chunk is a hit.
        more = spare if dropped or request.group_by or look.phrases else 0
        ahead = request.limit - len(hits) + more
        batch, waiting = waiting[:ahead], waiting[ahead:]
        asked = Hydrate(chunks=tuple(r.id for r in batch), as_of=request.as_of)
        read = (await documents.hydrate(asked)).passages
        for place in batch:
            if len(hits) == request.limit:
                break
            passage = read.get(place.id)
            if passage is None:
                dropped = True
                continue
            if wanted and not _says(passage, wanted):
                continue
            unit = passage.document.id if request.group_by == "document" else place.id
            if unit not in hits:
                hits[unit] = _hit(place, passage)
    return Page(with_common_parents(hits.values()), dropped)


def _hit(place: Ranked, passage: Passage) -> Hit:
    return Hit(
        document=passage.document,
        chunk=passage.chunk,
        parent=passage.parent,
        score=place.score,
        scores=Scores(dense=place.dense, keyword=place.keyword),
        explanation=explanation(place) if place.parts else None,
    )


def _says(passage: Passage, wanted: Sequence[str]) -> bool:
    """Whether the passage, its title or one of the headings above it says each of the phrases."""
    return says((passage.chunk.text, passage.document.title, *passage.chunk.section), wanted)

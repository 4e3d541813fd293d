"""Footnotes: quotes of passages as spans of their documents' versions."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from muniment.documents.contract import Span
from muniment.generation.contract import Quote, Source
from muniment.knowledge.contract import CitedDocument, Footnote
from muniment.retrieval.contract import Hit


class Passage(NamedTuple):
    """Text around hits of one version of one document, and where it begins there."""

    text: str
    start: int
    hits: tuple[Hit, ...]

    @property
    def end(self) -> int:
        """Where it ends in the version."""
        return self.start + len(self.text)

    def source(self) -> Source:
        """As generation reads it."""
        first = self.hits[0]
        headers = (hit.chunk.header for hit in self.hits if hit.chunk.header not in self.text)
        return Source(
            title=first.document.title, section=first.chunk.section, text=self.text, header=next(headers, "")
        )


def passages(hits: Iterable[Hit], most: int) -> list[Passage]:
    """The parents of the best hits in their order; those that overlap are one."""
    found: list[Passage] = []
    for hit in hits:
        span = hit.parent.span
        near = [
            i
            for i, p in enumerate(found)
            if _version(p.hits[0]) == _version(hit) and p.start < span.end and span.start < p.end
        ]
        if not near:
            if len(found) < most:
                found.append(Passage(hit.parent.text, span.start, (hit,)))
            continue
        joined = Passage(hit.parent.text, span.start, ())
        for i in near:
            joined = _joined(found[i], joined)
        found[near[0]] = joined._replace(hits=(*(h for i in near for h in found[i].hits), hit))
        for i in reversed(near[1:]):
            del found[i]
    return found


def _version(hit: Hit) -> tuple[str, int]:
    return hit.document.id, hit.document.version


def _joined(a: Passage, b: Passage) -> Passage:
    """Two that overlap, as one text."""
    first, second = sorted((a, b), key=lambda p: p.start)
    return Passage(first.text + second.text[max(first.end - second.start, 0) :], first.start, ())


class Footnotes:
    """The footnotes of one answer, numbered as they are first used; the same span is the same footnote."""

    def __init__(self, sources: Sequence[Passage]) -> None:
        self._sources = sources
        self._notes: dict[tuple[str, int, int, int], Footnote] = {}

    @property
    def all(self) -> tuple[Footnote, ...]:
        """All so far, by number."""
        return tuple(self._notes.values())

    def note(self, quotes: Iterable[Quote]) -> tuple[list[Footnote], tuple[int, ...]]:
        """The footnotes that are new with these quotes, and the numbers of all of them, each once."""
        fresh, numbers = [], dict[int, None]()
        for quote in quotes:
            passage = self._sources[quote.source]
            start, end = passage.start + quote.start, passage.start + quote.end
            key = (*_version(passage.hits[0]), start, end)
            if key not in self._notes:
                self._notes[key] = _footnote(len(self._notes) + 1, passage, start, end)
                fresh.append(self._notes[key])
            numbers[self._notes[key].number] = None
        return fresh, tuple(numbers)


def _footnote(number: int, passage: Passage, start: int, end: int) -> Footnote:
    hit = max(passage.hits, key=lambda h: _overlap(h, start, end))
    document = hit.document
    return Footnote(
        number=number,
        document=CitedDocument(
            id=document.id,
            key=document.key,
            title=document.title,
            collection=document.collection,
            version=document.version,
        ),
        chunk=hit.chunk.id,
        span=Span(start=start, end=end),
        # A parent may run over several pages; only the chunk's own is known.
        page=hit.chunk.page if _overlap(hit, start, end) > 0 else None,
        section=hit.chunk.section,
        quote=passage.text[start - passage.start : end - passage.start],
    )


def _overlap(hit: Hit, start: int, end: int) -> int:
    """Characters in common; less than none is how far they are apart."""
    return min(hit.chunk.span.end, end) - max(hit.chunk.span.start, start)

"""Sources and footnotes: passages merged for reading, and quotes carried back to the characters of a version."""

from collections.abc import Iterable, Sequence

from muniment.documents.contract import Span
from muniment.generation.contract import Quote, Source
from muniment.knowledge.contract import CitedDocument, Footnote
from muniment.retrieval.contract import Hit


class Reading:
    """What is written from: each parent once, in the order of its best hit."""

    def __init__(self, hits: Iterable[Hit], most: int) -> None:
        self._hits: dict[tuple[str, int, int], list[Hit]] = {}
        for hit in hits:
            key = (hit.document.id, hit.document.version, hit.parent.span.start)
            if key in self._hits or len(self._hits) < most:
                self._hits.setdefault(key, []).append(hit)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The parents, in order."""
        return tuple(
            Source(title=first.document.title, section=first.chunk.section, text=first.parent.text)
            for first, *_ in self._hits.values()
        )

    def hits_of(self, source: int) -> Sequence[Hit]:
        """The hits that led to a source, best first."""
        return list(self._hits.values())[source]


class Footnotes:
    """Numbered by first use; the same span of the same version is one footnote."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._made: dict[tuple[str, int, int, int], Footnote] = {}

    @property
    def all(self) -> tuple[Footnote, ...]:
        """Every footnote so far, by number."""
        return tuple(self._made.values())

    def cite(self, quotes: Sequence[Quote]) -> tuple[list[Footnote], tuple[int, ...]]:
        """The footnotes that are new with these quotes, and the numbers of all of them."""
        fresh, numbers = [], []
        for quote in quotes:
            hits = self._reading.hits_of(quote.source)
            base, document = hits[0].parent.span.start, hits[0].document
            span = Span(start=base + quote.start, end=base + quote.end)
            key = (document.id, document.version, span.start, span.end)
            if key not in self._made:
                self._made[key] = _footnote(len(self._made) + 1, hits, span)
                fresh.append(self._made[key])
            if self._made[key].number not in numbers:
                numbers.append(self._made[key].number)
        return fresh, tuple(numbers)


def _footnote(number: int, hits: Sequence[Hit], span: Span) -> Footnote:
    """Page and section are those of the chunk that holds the quote; around the chunks they are not known."""
    nearest = max(hits, key=lambda hit: _overlap(hit.chunk.span, span))
    inside = _overlap(nearest.chunk.span, span) > 0
    document, parent = nearest.document, nearest.parent
    return Footnote(
        number=number,
        document=CitedDocument(
            id=document.id,
            key=document.key,
            title=document.title,
            collection=document.collection,
            version=document.version,
        ),
        chunk=nearest.chunk.id,
        span=span,
        page=nearest.chunk.page if inside else None,
        section=nearest.chunk.section if inside else (),
        quote=parent.text[span.start - parent.span.start : span.end - parent.span.start],
    )


def _overlap(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start)

"""What is remembered of an index between questions, and kept true by every write."""

from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_edge import CountRequest, EdgeShard, FieldCondition, HasIdCondition, ScrollRequest, SparseVector
from qdrant_edge import Filter as EdgeFilter

from muniment.vectors import bm25
from muniment.vectors.bm25 import Keywords
from muniment.vectors.contract import Filter
from muniment.vectors.engine.edge.config import OF_NOTHING_IDF
from muniment.vectors.engine.edge.filter import edge_filter
from muniment.vectors.engine.edge.point import uuid
from muniment.vectors.engine.edge.terms import Inside, TermIds, TermTable

_MOST_POINTS = 16_384
"""IDF is taken over all points, exactly, where they are no more; of more it tells 1 in 16,000 from none."""

_LEAST_POINTS = 1024
"""So many even where filters are many, and share so few points that there is no room for more of each."""

_AT_ONCE, _LISTED_AT_ONCE, _LISTED = 2048, 4096, 512
"""So many points are read while a question waits, of so many that are listed, so many at a time: 0.1 s."""

_STEP = 128
"""So many at a time are read while none waits: 5 ms, 20 where they are touched for the first time."""

_AHEAD_POINTS = 8192
"""Of so many the terms are read before anybody asks: most of the first that a reader of a quarter sees."""

_MOST_WRITTEN = 1024
"""After so many writes what hides points is looked for anew, and who has not asked since the last is forgotten."""

_ROOM = _LISTED_AT_ONCE + 2 * _MOST_WRITTEN
"""One question reads no more than this."""

_FEW_POINTS = 256
"""So few are named one by one: a field without an index would be read from every point's payload."""

_COMPARED_POINTS = 5_000
"""So many are compared one by one by their originals, which is exact and takes 2 ms."""

_LOOKED_AT = 200_000
"""So many points are looked at for one that a condition hides: 6 to 30 ms, once, for 4 less in every search."""

_MOST_CORPORA = 64
_MOST_KNOWN = 4096
_LEAST_ID = UUID(int=0)


class Corpus:
    """The points over which IDF is taken for a filter: the first that it lets through in the order of their ids.

    Ids are hashes, so these are a fair sample where there are more; and what is hidden has no part in it: an index
    of the visible points alone has the same. The engine itself would go through them anew for every query, 2 to
    6 ms each; here they are rows of a table. `allowed` lets the same points through as the filter, without what
    hides none of them: to look at each point's readers all the same takes a third of a search.
    """

    def __init__(self, visible: EdgeFilter, terms: TermTable, at: int) -> None:
        self.at = at
        """How many writes it knows of."""
        self.points = 0
        self.named = False
        """Whether its points are so few that `allowed` names each; it is then good until the next write."""
        self.allowed: EdgeFilter | None = visible
        self._visible = visible
        self._kept = list(visible.must or ())
        self._loosened = False
        self._counted = 0
        self._looked_for: int | None = None
        self._terms = terms
        self._inside = np.zeros(terms.size, bool)
        self._following: UUID | None = _LEAST_ID  # those before it are inside, all; None: all there are
        self._known: dict[int, int] = {}

    @property
    def whole(self) -> bool:
        """Whether it is all that the filter lets through."""
        return self._following is None

    @property
    def few(self) -> bool:
        """Whether all that the filter lets through are compared one by one."""
        return (self.points if self.whole else self._counted) <= _COMPARED_POINTS

    def grow(self, shard: EdgeShard, most: int) -> None:
        """Take up to so many of those that follow."""
        request = ScrollRequest(offset=self._following, limit=most, filter=self._visible, with_payload=False)
        records, following = shard.scroll(request)
        ids = [uuid(record.id) for record in records]
        self._put(self._terms.rows(shard, ids))
        self._following = None if following is None else uuid(following)
        if self.whole and self.points == len(ids) <= _FEW_POINTS:
            self.named, self.allowed = True, EdgeFilter(must=[HasIdCondition(set(ids))])

    def written(self, shard: EdgeShard, ids: Collection[UUID], rows: Sequence[int], most: int) -> None:
        """These were written, and those rows were theirs: take them as they are now, if among the first `most`."""
        self._inside[list(rows)] = False
        before = [point for point in ids if self._following is None or point < self._following]
        seen = EdgeFilter(must=[HasIdCondition(set(before)), *(self._visible.must or ())])
        request = ScrollRequest(limit=len(before), filter=seen, with_payload=False)
        records = shard.scroll(request)[0] if before else ()
        self._put(self._terms.rows(shard, [uuid(record.id) for record in records]))
        if self.points > most:
            self._cut(most)
        if self._loosened:
            hidden = EdgeFilter(must=[HasIdCondition(set(ids)), *self._kept], must_not=[self._visible])
            if _any(shard, hidden):
                self.allowed, self._loosened = self._visible, False

    def mark(self, used: Inside) -> None:
        """Mark its rows."""
        used |= self._inside

    def look(self, shard: EdgeShard) -> None:
        """How many there are; and of many what hides any, at first and once much has been written."""
        if not self.whole:
            self._counted = shard.count(CountRequest(exact=False, filter=self._visible))
        if not self.few and (self._looked_for is None or self.at - self._looked_for >= _MOST_WRITTEN):
            self._looked_for = self.at
            self._loosen(shard)

    def holders(self, term_ids: TermIds) -> NDArray[np.int64]:
        """How many of its points hold each term."""
        asked = term_ids.tolist()
        new = [term for term in asked if term not in self._known]
        if len(self._known) + len(new) > _MOST_KNOWN:
            self._known.clear()
            new = asked
        if new:
            counts = self._terms.holders(self._inside, np.array(new, np.uint32))
            self._known.update(zip(new, counts.tolist(), strict=True))
        return np.array([self._known[term] for term in asked], np.int64)

    def query(self, keywords: Keywords) -> SparseVector:
        """What to ask with `PLAIN_SEARCH`, so that scores are BM25 with this IDF."""
        weights = keywords.values * bm25.idfs(self.points, self.holders(keywords.indices)) / OF_NOTHING_IDF
        return SparseVector(indices=keywords.indices.tolist(), values=weights.tolist())

    def _put(self, rows: NDArray[np.intp]) -> None:
        self._inside[rows] = True
        self.points = int(np.count_nonzero(self._inside))
        self._known.clear()

    def _cut(self, most: int) -> None:
        """Leave out the last by their ids, of which the first half is known."""
        rows = np.flatnonzero(self._inside)
        heads = self._terms.heads(rows)
        end = np.partition(heads, most)[most]
        self._following = UUID(int=int(end) << 64)
        self._inside[rows[heads >= end]] = False
        self.points = int(np.count_nonzero(self._inside))

    def _loosen(self, shard: EdgeShard) -> None:
        """Leave out conditions that hide nothing of what the others let through; who may read goes last."""
        self._kept, self._loosened, self.allowed = list(self._visible.must or ()), False, self._visible
        indexed = shard.info().payload_schema
        if any(not isinstance(part, FieldCondition) or part.key not in indexed for part in self._kept):
            return  # every point's payload would be read
        for condition in reversed(self._kept):
            others = [other for other in self._kept if other is not condition]
            most = shard.count(CountRequest(exact=False, filter=EdgeFilter(must=others)))
            if most <= _LOOKED_AT and not _any(shard, EdgeFilter(must=others, must_not=[condition])):
                self._kept, self._loosened = others, True
        if self._loosened:
            self.allowed = EdgeFilter(must=self._kept) if self._kept else None


def _any(shard: EdgeShard, condition: EdgeFilter) -> bool:
    return bool(shard.scroll(ScrollRequest(limit=1, filter=condition, with_payload=False))[0])


class Memory:
    """Corpora by filter, and the terms of their points."""

    def __init__(self, *, numbers: bool = False) -> None:
        """Of a shard that has the `numbers` of its points' readers, or not."""
        self._numbers = numbers
        self._terms = TermTable()
        self._corpora: dict[Filter, Corpus] = {}
        self._sharers = 0
        self._written: list[tuple[UUID, int | None]] = []
        self._before = 0
        self.clear()

    def clear(self) -> None:
        """After writes that nobody counted."""
        self._corpora.clear()
        self._terms.clear()
        self._following: UUID | None = _LEAST_ID
        self._read = 0

    def written(self, ids: Collection[UUID]) -> None:
        """After every write: what it may have changed is forgotten, or noted for who asks next."""
        for point in ids:
            self._written.append((point, self._terms.forget(point)))
        if self._following is None and self._read < _AHEAD_POINTS:
            self._following, self._read = _LEAST_ID, 0  # what is known is not read again
        if len(self._written) > 2 * _MOST_WRITTEN:
            gone = len(self._written) - _MOST_WRITTEN
            del self._written[:gone]
            self._before += gone
            self._corpora = {c: corpus for c, corpus in self._corpora.items() if corpus.at >= self._before}

    def corpus(self, shard: EdgeShard, condition: Filter) -> Corpus:
        """The corpus of a filter, true of what is written by now."""
        self._make_room()
        known = self._corpora.pop(condition, None)
        now = self._before + len(self._written)
        if known is not None and known.at < now:
            if known.named:
                known = None
            else:
                news = self._written[known.at - self._before :]
                known.at = now
                rows = [row for _, row in news if row is not None]
                known.written(shard, {point for point, _ in news}, rows, self._share(known))
                known.look(shard)
        if known is None:
            if len(self._corpora) >= _MOST_CORPORA:
                del self._corpora[next(iter(self._corpora))]  # who has not asked for the longest
            known = self._made(shard, Corpus(edge_filter(condition, numbers=self._numbers), self._terms, now))
        self._corpora[condition] = known
        return known

    def complete(self, shard: EdgeShard) -> bool:
        """Read some more of a corpus that is not complete, of who asked last; whether there was one."""
        self._make_room()
        for corpus in reversed(self._corpora.values()):
            if self._wanted(corpus):
                corpus.grow(shard, min(self._wanted(corpus), _STEP))
                return True
        return False

    @property
    def reads_ahead(self) -> bool:
        """Whether there are terms to read for who asks first: to wait for them takes 0.1 s, from a disk 0.4."""
        return self._following is not None and self._read < _AHEAD_POINTS and self._terms.room >= 2 * _ROOM

    def read_ahead(self, shard: EdgeShard) -> None:
        """Read some of them, whoever may read the points: they count only for who does."""
        records, following = shard.scroll(ScrollRequest(offset=self._following, limit=_STEP, with_payload=False))
        self._terms.rows(shard, [uuid(record.id) for record in records])
        self._following = None if following is None else uuid(following)
        self._read += len(records)

    def _made(self, shard: EdgeShard, corpus: Corpus) -> Corpus:
        room = self._terms.room
        while self._wanted(corpus) and corpus.points < _LISTED_AT_ONCE and room - self._terms.room < _AT_ONCE:
            corpus.grow(shard, min(self._wanted(corpus), _LISTED))
        corpus.look(shard)
        return corpus

    def _wanted(self, corpus: Corpus) -> int:
        return 0 if corpus.whole else max(0, self._share(corpus) - corpus.points)

    def _share(self, corpus: Corpus) -> int:
        """How many points: all, and once half of the table is taken, as many as fill it for each large corpus."""
        is_half_full = self._terms.room < self._terms.size // 2  # until then they may have the same points, or few
        others = sum(other is not corpus for other in self._large()) if is_half_full else 0
        share = self._terms.size // 2 // max(others + 1, self._sharers)
        return min(max(share, _LEAST_POINTS), _MOST_POINTS)

    def _large(self) -> list[Corpus]:
        return [corpus for corpus in self._corpora.values() if corpus.points >= _LEAST_POINTS]

    def _make_room(self) -> None:
        """Begin a full table anew: for more corpora, if those of now filled it, and not rows of old."""
        if self._terms.room >= _ROOM:
            return
        used = np.zeros(self._terms.size, bool)
        for corpus in self._corpora.values():
            corpus.mark(used)
        filled = np.count_nonzero(used) > self._terms.size // 2
        self._sharers = max(len(self._large()), 2 * self._sharers) if filled else self._sharers // 2
        self.clear()

"""Retrieval between its neighbours: the access filter, refill, degradation, grouping."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from muniment.collections.contract import (
    CollectionMissing,
    CollectionRef,
    CollectionRefs,
    Indexes,
    IndexRef,
    Ranking,
)
from muniment.documents.contract import (
    ChunkText,
    Counts,
    DocumentBrief,
    HistoryKept,
    ParentText,
    Passage,
    Passages,
    Span,
)
from muniment.embedding.contract import Embedded
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.problems import Invalid, NotAvailable, Unavailable
from muniment.models.contract import BUNDLED_EMBEDDING, ModelMissing
from muniment.retrieval.constants import DEFAULTS
from muniment.retrieval.contract import Search, Weigh
from muniment.retrieval.service import HybridRetrieval
from muniment.vectors.contract import (
    AnyOf,
    Candidates,
    Count,
    Found,
    IndexMissing,
    Mark,
    NoneOf,
    NotAfter,
    PointIds,
    Range,
    ScoredPoint,
    TermWeights,
)

INDEX = IndexRef(name="m.r.1", model="m", recipe="r", generation=1)


def ref(name, **standing):
    given = {"visible": True, "member": True, "manager": False} | standing
    return CollectionRef(id=f"col_{name}", name=name, access_level="internal", language=None, index=INDEX, **given)


class Shelves:
    """Collections: `open`, which the caller sees, and `shut`, which they do not."""

    async def lookup(self, request):
        known = {"open": ref("open"), "shut": ref("shut", visible=False, member=False)}
        return CollectionRefs(items=tuple(known[n] for n in request.collections if n in known))

    async def indexes(self, _):
        return Indexes(items=(INDEX,))


class Reader:
    """Documents: two chunks each; those in `stale` are not current any more."""

    def __init__(self, stale=(), readable=None, kept=None):
        self.stale, self.readable, self.asked = set(stale), readable or {}, []
        self.kept, self.times = kept or {}, []

    async def history(self, request):
        named = self.kept if request.collections is None else request.collections
        return HistoryKept(days={collection: self.kept.get(collection) for collection in named})

    async def hydrate(self, request):
        self.asked.append(len(request.chunks))
        self.times.append(request.as_of)
        return Passages(passages={c: passage(c) for c in request.chunks if number(c) not in self.stale})

    async def mark(self, _):
        return Mark(mark="1")

    async def count_readable(self, request):
        return Counts(counts={c: self.readable[c] for c in request.collections if c in self.readable})


class OneVector:
    def __init__(self, problem=None):
        self.problem = problem

    async def embed_queries(self, request):
        if self.problem:
            raise self.problem
        return Embedded(vectors=np.ones((len(request.texts), 2), np.float32), tokens=1)


class Engine:
    """Vectors: `size` points, dense in their order, keywords in the opposite one."""

    def __init__(self, size=30):
        self.size, self.asked = size, []

    async def search(self, request):
        self.asked.append(request)
        order = list(range(self.size))
        lists = []
        for query in request.queries:
            places = order if query.kind == "dense" else order[::-1]
            lists.append(tuple(point(n, 1 - at / 1000) for at, n in enumerate(places[: query.limit])))
        return Found(lists=tuple(lists))

    async def candidates(self, request):
        self.asked.append(request)
        found = [point(n, 0) for n in range(min(self.size, request.pool))]
        falling = [1 - at / 1000 for at in range(len(found))]
        rows = {"dense": falling} if request.vector is not None else {}
        rows |= {"words": falling[::-1], "grams": falling[::-1]}
        return Candidates(
            ids=PointIds(p.id for p in found),
            documents=tuple(p.document for p in found),
            signals=tuple(rows),
            scores=np.array(list(rows.values()), np.float32),
            full=len(found) == request.pool,
        )

    async def mark(self, _):
        return Mark(mark="1")

    async def count(self, _):
        return Count(count=self.size)

    async def weigh(self, request):
        self.asked.append(request)
        return TermWeights(weights={"leas": 2.0, "zzz": 5.0}, unknown=("zzz",))


def point(n, score):
    return ScoredPoint(id=UUID(int=n), score=score, document=f"doc_{n // 2}", version="ver_1")


def number(chunk):
    return UUID(chunk.removeprefix("chk_")).int


def passage(chunk):
    n = number(chunk)
    return Passage(
        document=DocumentBrief(
            id=f"doc_{n // 2}",
            key="k",
            title="t",
            collection="open",
            type="Other",
            version=1,
            source_url=None,
            metadata={},
        ),
        chunk=ChunkText(id=chunk, text="x", span=Span(start=0, end=1), page=None, section=(), kind="body"),
        parent=ParentText(text="x", span=Span(start=0, end=1)),
    )


ADA = Caller(principal="usr_1", name="ada", tokens=frozenset({"usr_1"}), withheld=frozenset({"col_gone"}))


def room(reader=None, embedding=None, engine=None, **settings):
    engine = engine or Engine()
    return HybridRetrieval(Shelves(), reader or Reader(), embedding or OneVector(), engine, **settings), engine


async def search(service, who=ADA, **asked):
    with calling_as(who):
        return await service.search(Search(query="leases", **asked))


async def test_every_query_carries_the_readers_and_leaves_out_what_is_withheld():
    service, engine = room()
    await search(service)
    (asked,) = engine.asked
    assert asked.readers == {"usr_1"}
    assert NoneOf(field="collection", values=("col_gone",)) in asked.filter
    assert (asked.text, asked.vector is not None) == ("leases", True)


@pytest.mark.parametrize(
    ("model", "ranking", "near"),
    [
        (BUNDLED_EMBEDDING, None, DEFAULTS.near),
        (BUNDLED_EMBEDDING, Ranking(prior=2), DEFAULTS.near),
        (BUNDLED_EMBEDDING, Ranking(dense=0), None),
        ("m", None, None),
    ],
)
async def test_spelling_may_be_left_out_only_for_the_bundled_model_as_it_is_judged(
    monkeypatch, model, ranking, near
):
    monkeypatch.setattr(f"{__name__}.INDEX", INDEX.model_copy(update={"model": model}))
    service, engine = room()
    await search(service, ranking=ranking)
    assert [asked.near for asked in engine.asked] == [near]


async def test_no_tokens_no_query():
    service, engine = room()
    found = await search(service, Caller(principal="usr_1", name="ada"))
    assert found.hits == ()
    assert engine.asked == []


async def test_the_mode_chooses_the_queries():
    service, engine = room()
    by_meaning, by_words = await search(service, mode="dense"), await search(service, mode="keyword")
    assert [[q.kind for q in a.queries] for a in engine.asked] == [["dense"], ["keyword"]]
    assert by_meaning.hits[0].scores.keyword is None
    assert by_words.hits[0].scores.dense is None


async def test_hits_that_the_second_lock_drops_are_refilled():
    service, _ = room(Reader(stale=range(20)))
    assert len((await search(service, limit=10)).hits) == 10


async def test_a_search_that_was_overtaken_looks_once_more():
    service, engine = room(Reader(stale=range(5)))
    assert len((await search(service, limit=10)).hits) == 10
    assert [a.pool for a in engine.asked] == [100, 100]
    service, engine = room(Reader(stale=range(5)))
    assert len((await search(service, limit=10, mode="keyword")).hits) == 10
    assert len(engine.asked) == 1  # what is stale came after all that was asked for


async def test_the_pool_grows_while_the_engine_has_more():
    engine = Engine(size=900)
    service, _ = room(Reader(stale=range(890)), engine=engine)
    found = await search(service, limit=10, mode="dense")
    assert len(found.hits) == 10
    assert [a.queries[0].limit for a in engine.asked] == [100, 300, 900, 1000][: len(engine.asked)]


async def test_grouped_by_document_each_stands_once_with_its_best():
    service, _ = room()
    hits = (await search(service, limit=10, group_by="document", mode="dense")).hits
    assert [hit.document.id for hit in hits] == [f"doc_{n}" for n in range(10)]
    assert number(hits[0].chunk.id) == 0


class TwoProofs(Engine):
    """Of doc_0 one passage is near in meaning and another has the name; one of doc_1 nearly both."""

    async def candidates(self, request):
        found = await super().candidates(request.model_copy(update={"pool": 6}))
        rows = ([0.72, 0.3, 0.7, 0.1, 0.2, 0.1], [0, 9, 7, 0, 1, 0], [0, 30, 25, 0, 4, 0])
        return found.model_copy(update={"scores": np.array(rows, np.float32)})


async def test_a_document_stands_by_all_its_passages_and_is_shown_with_its_best():
    service, _ = room(engine=TwoProofs())
    passages = (await search(service)).hits
    assert number(passages[0].chunk.id) == 2
    documents = (await search(service, group_by="document", explain=True)).hits
    assert [hit.document.id for hit in documents] == ["doc_0", "doc_1", "doc_2"]
    best, second = (next(h for h in passages if h.document.id == hit.document.id) for hit in documents[:2])
    assert (best.chunk, best.scores) == (documents[0].chunk, documents[0].scores)
    assert second.chunk == documents[1].chunk
    assert documents[0].explanation is not None
    assert {part.signal: part.value for part in documents[0].explanation.parts} == {
        "dense": pytest.approx(0.72),
        "words": 9,
        "grams": 30,
    }


async def test_a_document_whose_best_passage_drops_out_stands_where_it_stood_with_its_next():
    both = Reader()
    service, _ = room(both, engine=TwoProofs())
    whole = (await search(service, group_by="document")).hits
    assert set(both.asked) == {3}  # the others of a document are not read
    service, _ = room(Reader(stale=[number(whole[0].chunk.id)]), engine=TwoProofs())
    less = (await search(service, group_by="document")).hits
    assert [(hit.document.id, hit.score) for hit in less] == [(hit.document.id, hit.score) for hit in whole]
    assert {number(whole[0].chunk.id), number(less[0].chunk.id)} == {0, 1}


async def test_without_the_embedding_hybrid_goes_by_words_and_says_so():
    service, engine = room(embedding=OneVector(Unavailable("down")))
    found = await search(service)
    assert found.degraded == ("dense",)
    assert found.hits
    assert engine.asked[0].vector is None
    with pytest.raises(Unavailable):
        await search(service, mode="dense")


class TwoIndexes(Shelves):
    """One of a model that is gone."""

    async def indexes(self, _):
        other = IndexRef(name="gone.r.1", model="gone", recipe="r", generation=1)
        return Indexes(items=(INDEX, other))


class OneModel(OneVector):
    async def embed_queries(self, request):
        if request.model == "gone":
            raise ModelMissing("no model is called gone", model="gone")
        return await super().embed_queries(request)


class SeenInOne(Engine):
    """The second index holds `more` that the caller may read."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    async def count(self, request):
        return Count(count=self.more if request.index == "gone.r.1" else self.size)

    async def candidates(self, request):
        found = await super().candidates(request)
        if request.index == "gone.r.1" and not self.more:
            found = found.model_copy(update={"ids": (), "documents": (), "scores": found.scores[:, :0]})
        return found

    async def search(self, request):
        found = await super().search(request)
        return Found(lists=((),)) if request.index == "gone.r.1" and not self.more else found


@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
async def test_an_index_whose_model_is_gone_fails_nobody_who_reads_nothing_there(mode):
    alone, _ = room()
    service = HybridRetrieval(TwoIndexes(), Reader(), OneModel(), SeenInOne(0))
    found = await search(service, mode=mode)
    assert (found.hits, found.degraded) == ((await search(alone, mode=mode)).hits, ())


async def test_who_reads_in_an_index_whose_model_is_gone_finds_by_words():
    service = HybridRetrieval(TwoIndexes(), Reader(), OneModel(), SeenInOne(9))
    found = await search(service)
    assert found.hits
    assert found.degraded == ("dense",)
    with pytest.raises(ModelMissing):
        await search(service, mode="dense")


async def test_a_defect_of_the_embedding_is_not_hidden():
    service, _ = room(embedding=OneVector(Invalid("no")))
    with pytest.raises(Invalid):
        await search(service)


async def test_collections_are_named_and_the_unseen_are_missing():
    service, engine = room()
    await search(service, collections=("open",))
    assert AnyOf(field="collection", values=("col_open",)) in engine.asked[0].filter
    for name in ("shut", "none"):
        with pytest.raises(CollectionMissing) as caught:
            await search(service, collections=("open", name))
        assert caught.value.extra["collection"] == name
    with pytest.raises(Invalid, match="collections"):
        await search(service, collections=())


async def test_a_collection_is_seen_by_a_reader_of_one_of_its_documents():
    service, engine = room(Reader(readable={"col_shut": 1}))
    await search(service, collections=("shut",))
    assert AnyOf(field="collection", values=("col_shut",)) in engine.asked[0].filter


async def test_terms_are_weighed_in_the_same_scope():
    service, engine = room()
    with calling_as(ADA):
        weights = await service.weigh(Weigh(text="lease zzz"))
    assert (weights.weights["leas"], weights.unknown) == (2.0, ("zzz",))
    assert engine.asked[0].readers == {"usr_1"}
    with calling_as(Caller(principal="usr_1", name="ada")):
        assert (await service.weigh(Weigh(text="lease"))).weights == {}


class NothingYet(Engine):
    """The index is made by its first document, and there is none."""

    async def search(self, request):
        raise IndexMissing("there is no index", index=request.index)

    candidates = search

    async def weigh(self, request):
        raise IndexMissing("there is no index", index=request.index)


async def test_before_the_first_document_nothing_is_found_and_nothing_fails():
    service, _ = room(engine=NothingYet())
    assert (await search(service)).hits == ()
    assert (await search(service, mode="keyword")).hits == ()
    with calling_as(ADA):
        assert (await service.weigh(Weigh(text="leases"))).weights == {}


THEN = datetime(2026, 1, 1, tzinfo=UTC)


async def test_an_earlier_time_is_looked_for_in_what_is_current_and_in_what_was():
    reader = Reader()
    service, engine = room(reader)
    await search(service, as_of=THEN, collections=("open",))
    wanted = (AnyOf(field="collection", values=("col_open",)),)
    begun, ended = NotAfter(field="current_from", at=THEN), Range(field="current_to", gt=THEN)
    assert {asked.index: asked.filter for asked in engine.asked} == {
        "m.r.1": (*wanted, begun),
        "m.r.1.history": (*wanted, Range(field="current_from", lte=THEN), ended),
    }
    assert all(asked.readers == {"usr_1"} for asked in engine.asked)
    assert set(reader.times) == {THEN}
    engine.asked.clear()
    with calling_as(ADA):
        await service.weigh(Weigh(text="leases", as_of=THEN))
    assert [asked.index for asked in engine.asked] == ["m.r.1", "m.r.1.history"]
    engine.asked.clear()
    await search(service)
    assert [asked.index for asked in engine.asked] == ["m.r.1"]


async def test_a_time_to_come_is_refused():
    service, engine = room()
    with pytest.raises(Invalid) as wrong:
        await search(service, as_of=datetime.now(UTC) + timedelta(hours=1))
    assert wrong.value.extra["errors"][0]["field"] == "as_of"
    with pytest.raises(Invalid), calling_as(ADA):
        await service.weigh(Weigh(text="leases", as_of=datetime.now(UTC) + timedelta(hours=1)))
    assert engine.asked == []


async def test_a_collection_without_history_is_refused_by_name_and_left_out_of_all():
    service, engine = room(Reader(kept={"col_open": 0, "col_shut": None}))
    with pytest.raises(NotAvailable, match="open") as refused:
        await search(service, as_of=THEN, collections=("open",))
    assert refused.value.extra["collections"] == ["open"]
    assert engine.asked == []
    found = await search(service, as_of=THEN)
    assert found.degraded == ("history",)
    assert all(NoneOf(field="collection", values=("col_gone", "col_open")) in a.filter for a in engine.asked)
    engine.asked.clear()
    assert (await search(service)).degraded == ()
    assert engine.asked[0].filter == (NoneOf(field="collection", values=("col_gone",)),)


async def test_where_no_collection_keeps_history_there_is_none():
    service, _ = room(Reader(kept={"col_open": 0, "col_shut": 0}))
    with pytest.raises(NotAvailable):
        await search(service, as_of=THEN)
    with pytest.raises(NotAvailable), calling_as(ADA):
        await service.weigh(Weigh(text="leases", as_of=THEN))
    service, _ = room(Reader(kept={}))
    assert (await search(service, as_of=THEN)).degraded == ()


async def test_before_what_is_kept_the_answer_says_that_it_may_lack_something():
    service, _ = room(Reader(kept={"col_open": 30}))
    for days, degraded in ((31, ("history",)), (29, ())):
        found = await search(service, as_of=datetime.now(UTC) - timedelta(days=days), collections=("open",))
        assert found.degraded == degraded

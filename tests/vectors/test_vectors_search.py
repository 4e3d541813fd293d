from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.kernel.model import Nothing
from muniment.text.terms import terms
from muniment.vectors.contract import (
    AllOf,
    AnyOf,
    Condition,
    CountPoints,
    DeletePoints,
    DenseQuery,
    EnsureIndex,
    Exists,
    FetchVectors,
    Filter,
    KeywordQuery,
    NoneOf,
    NotAfter,
    Payload,
    Range,
    SearchPoints,
    SetPayload,
    TallyPoints,
    Upsert,
    Vectors,
    WeighTerms,
)
from vectors.asking import DIMENSIONS, JANUARY, JUNE, corpus, emptied, index_of, keyword_scores, point, visible
from vectors.oracle import bm25, cosines, holds, idf, sees

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(vectors: Vectors) -> str:
    return await emptied(vectors)


async def test_a_batch_of_both_kinds_equals_the_oracle_under_readers_and_filter(vectors: Vectors) -> None:
    points, rows = corpus(300, seed=1)
    index = await index_of(vectors, points, rows)
    condition = (AnyOf(field="collection", values=("col_1",)), NoneOf(field="tags", values=("z",)))
    query = np.random.default_rng(5).normal(size=(1, DIMENSIONS)).astype(np.float32)
    text = "renew the lease lease of a quorum"

    found = await vectors.search(
        SearchPoints(
            index=index,
            queries=(DenseQuery(vector=query, limit=1000), KeywordQuery(text=text, limit=1000)),
            readers=frozenset({"usr_b", "nobody"}),
            filter=condition,
        )
    )

    seen = [(p, v) for p, v in zip(points, rows, strict=True) if sees(p.payload, {"usr_b"}, condition)]
    dense, keyword = ({hit.id: hit.score for hit in hits} for hits in found.lists)
    assert dense == pytest.approx(cosines(query[0], seen), abs=1e-4)
    assert keyword == pytest.approx(bm25(text, [p for p, _ in seen]), abs=1e-4)
    for hits in found.lists:
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert {(h.document, h.version) for h in found.lists[0]} == {("doc_1", "ver_1")}


async def test_hidden_points_influence_no_score(vectors: Vectors) -> None:
    points, _ = corpus(200, seed=2)
    mixed = await index_of(vectors, points)
    only = [p for p in points if "usr_a" in p.payload["readers"]]
    alone = await index_of(vectors, only, name="alone")
    for text in ("lease", "zebra storage", "quorum quorum backup"):
        with_hidden = await keyword_scores(vectors, mixed, text, {"usr_a"})
        assert with_hidden == await keyword_scores(vectors, alone, text, {"usr_a"})
        weights = [
            await vectors.weigh(WeighTerms(index=i, text=text, readers=frozenset({"usr_a"})))
            for i in (mixed, alone)
        ]
        assert weights[0] == weights[1]


async def test_weights_are_the_idf_of_what_is_visible(vectors: Vectors) -> None:
    points, _ = corpus(60, seed=3)
    index = await index_of(vectors, [*points, point("secretword", readers=("usr_b",))])
    condition = (AnyOf(field="collection", values=("col_2",)),)
    # More than one call of the engine takes.
    unheard = " ".join(f"zq{a}{b}k" for a in "abcdefg" for b in "abcdefg")
    text = f"lease secretword {unheard} zebra"

    weighed = await vectors.weigh(
        WeighTerms(index=index, text=text, readers=frozenset({"usr_a"}), filter=condition)
    )

    seen = [p for p in points if sees(p.payload, {"usr_a"}, condition)]
    assert weighed.weights == pytest.approx({t: idf(t, seen) for t in terms(text)}, abs=1e-4)
    assert set(weighed.unknown) == set(terms(f"secretword {unheard}"))


async def test_scores_stay_exact_after_deletion_and_replacement(vectors: Vectors) -> None:
    points, _ = corpus(100, seed=4)
    index = await index_of(vectors, points)
    await vectors.delete(DeletePoints(index=index, filter=(AnyOf(field="tags", values=("x",)),)))
    kept = [p for p in points if "x" not in p.payload["tags"]]
    changed = [p.model_copy(update={"text": "zebra zebra ledger"}) for p in kept[:10]]
    rows = np.ones((10, DIMENSIONS), np.float32)
    await vectors.upsert(Upsert(index=index, points=tuple(changed), vectors=rows))
    now = [p for p in (*changed, *kept[10:]) if sees(p.payload, {"usr_a"}, ())]
    for text in ("zebra", "ledger lease"):
        scores = await keyword_scores(vectors, index, text, {"usr_a"})
        assert scores == pytest.approx(bm25(text, now), abs=1e-4)


CONDITIONS: list[tuple[Condition, set[str]]] = [
    (AnyOf(field="tags", values=("x", "q")), {"one", "both"}),
    (AllOf(field="tags", values=("x", "y")), {"both"}),
    (NoneOf(field="tags", values=("x",)), {"bare", "empty"}),
    (Exists(field="tags", exists=True), {"one", "both"}),
    (Exists(field="tags", exists=False), {"bare", "empty"}),
    (AnyOf(field="metadata.team", values=("infra",)), {"one"}),
    (Exists(field="metadata.team", exists=True), {"one"}),
    (AnyOf(field='metadata.a "b.c" [0]', values=("odd",)), {"both"}),
    (AnyOf(field="metadata.done", values=(True,)), {"one"}),
    (AnyOf(field="metadata.done", values=(1, "true")), set()),
    (NoneOf(field="metadata.done", values=(False,)), {"one", "bare", "empty"}),
    (AnyOf(field="metadata.size", values=(5,)), {"one", "both"}),
    (AnyOf(field="metadata.size", values=("a", 7.5)), {"bare", "both"}),
    (Range(field="metadata.size", gt=5, lte=7.5), {"bare", "both"}),
    (Range(field="story_points", gte=3, lt=8), {"one"}),
    (Range(field="created_at", gte=JUNE), {"both"}),
    (Range(field="created_at", gt=JANUARY, lt=JUNE), set()),
    (Range(field="metadata.at", lte=JUNE), {"one"}),
    (Range(field="metadata.size", gte=JANUARY), set()),
    (NotAfter(field="created_at", at=JANUARY), {"bare", "empty", "one"}),
    (NotAfter(field="created_at", at=JUNE), {"bare", "empty", "one", "both"}),
]


@pytest.mark.parametrize(("condition", "names"), CONDITIONS)
async def test_each_kind_of_condition(vectors: Vectors, condition: Condition, names: set[str]) -> None:
    points = {
        "bare": point(**{"metadata.size": ("a",)}),
        "empty": point(tags=(), story_points=8.0, **{"metadata.size": 7.5}),
        "one": point(
            tags=("x",),
            story_points=3,
            created_at="2026-01-01T00:00:00Z",
            **{"metadata.team": "infra", "metadata.done": True, "metadata.size": 5},
            **{"metadata.at": "2026-03-01T00:00:00+02:00"},
        ),
        "both": point(
            tags=("x", "y"),
            created_at="2026-06-01T14:30:00+02:00",
            **{'metadata.a "b.c" [0]': "odd", "metadata.done": False, "metadata.size": (5.0, 6.5)},
        ),
    }
    index = await index_of(vectors, list(points.values()))
    expected = {p.id for p in points.values() if holds(p.payload, condition)}
    assert await visible(vectors, index, condition) == expected
    if "size" not in condition.field:
        assert expected == {points[name].id for name in names}


async def test_a_point_is_seen_by_its_readers_only(vectors: Vectors) -> None:
    mine, ours, theirs = point(), point(readers=("usr_b", "usr_a")), point(readers=("usr_b",))
    index = await index_of(vectors, [mine, ours, theirs, point(readers=())])
    assert await visible(vectors, index) == {mine.id, ours.id}
    assert set(await keyword_scores(vectors, index, "lease", {"usr_b"})) == {ours.id, theirs.id}
    assert await keyword_scores(vectors, index, "lease", {"usr"}) == {}


SCALARS = st.one_of(
    st.sampled_from(["x", "y", "true", "5"]), st.booleans(), st.integers(-3, 5), st.sampled_from([0.5, 5.0])
)
NAMES = ("tags", "metadata.k", "story_points", "metadata", "metadata.a.b")
FIELDS = st.sampled_from(NAMES)
VALUES = st.lists(SCALARS, min_size=1, max_size=3).map(tuple)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=st.just(UTC))  # noqa: DTZ001
SAID = st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(tuple))
DATED = st.one_of(SAID, TIMES.map(datetime.isoformat))
# A field of numbers is indexed as such, and its documents' room lets no date in.
PAYLOADS = st.fixed_dictionaries({}, optional={n: SAID if n == "story_points" else DATED for n in NAMES})
READERS = st.sets(st.sampled_from(["usr_a", "usr_b", "grp_c"]), min_size=1)
CONDITION = st.one_of(
    st.builds(AnyOf, field=FIELDS, values=VALUES),
    st.builds(AllOf, field=FIELDS, values=VALUES),
    st.builds(NoneOf, field=FIELDS, values=VALUES),
    st.builds(Exists, field=FIELDS, exists=st.booleans()),
    st.builds(Range, field=FIELDS, gte=st.floats(-3, 5), lt=st.none() | st.floats(-3, 5)),
    st.builds(Range, field=FIELDS, gt=TIMES, lte=st.none() | TIMES),
    st.builds(NotAfter, field=FIELDS, at=TIMES),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    payloads=st.lists(st.tuples(PAYLOADS, READERS), min_size=1, max_size=12),
    readers=READERS,
    condition=st.lists(CONDITION, max_size=2).map(tuple),
)
async def test_any_search_equals_a_naive_one(
    vectors: Vectors, shared: str, payloads: list[tuple[Payload, set[str]]], readers: set[str], condition: Filter
) -> None:
    scope = uuid4().hex
    points = [
        point("lease node", **payload, readers=tuple(sorted(who)), collection=scope) for payload, who in payloads
    ]
    rows = np.ones((len(points), DIMENSIONS), np.float32)
    await vectors.upsert(Upsert(index=shared, points=tuple(points), vectors=rows))
    asked = (AnyOf(field="collection", values=(scope,)), *condition)
    seen = [p for p in points if sees(p.payload, readers, condition)]

    assert await keyword_scores(vectors, shared, "lease", readers, asked) == pytest.approx(
        bm25("lease", seen), abs=1e-4
    )
    count = await vectors.count(CountPoints(index=shared, filter=asked))
    assert count.count == sum(all(holds(p.payload, c) for c in condition) for p in points)
    await vectors.delete(DeletePoints(index=shared, filter=asked[:1]))


@settings(max_examples=30, deadline=None)
@given(field=st.text(min_size=1, max_size=20), value=st.text(max_size=20))
async def test_any_field_name_and_any_text_can_be_kept_and_found(
    vectors: Vectors, shared: str, field: str, value: str
) -> None:
    scope = AnyOf(field="collection", values=(uuid4().hex,))
    kept = point(**{f"metadata.{field}": value}, collection=scope.values[0])
    rows = np.ones((1, DIMENSIONS), np.float32)
    await vectors.upsert(Upsert(index=shared, points=(kept,), vectors=rows))
    condition = AnyOf(field=f"metadata.{field}", values=(value,))
    assert (await vectors.count(CountPoints(index=shared, filter=(scope, condition)))).count == 1
    condition = AnyOf(field=f"metadata.{field}", values=(value + "!",))
    assert (await vectors.count(CountPoints(index=shared, filter=(scope, condition)))).count == 0


async def test_payload_changes_keep_other_keys_and_hold_at_once_for_many_points(vectors: Vectors) -> None:
    many = [point(document="doc_big", **{"metadata.team": "infra"}) for _ in range(700)]
    other = point()
    index = await index_of(vectors, [*many, other])
    big = AnyOf(field="document", values=("doc_big",))

    await vectors.set_payload(
        SetPayload(index=index, filter=(big, AnyOf(field="readers", values=("usr_a",))),
                   payload={"readers": ("usr_z",), "metadata.team": "ops"})
    )  # fmt: skip

    assert await visible(vectors, index) == {other.id}
    found = await keyword_scores(
        vectors, index, "lease", {"usr_z"}, (AnyOf(field="metadata.team", values=("ops",)),)
    )
    assert set(found) == {p.id for p in many}

    await vectors.delete(DeletePoints(index=index, filter=(big,)))
    assert (await vectors.count(CountPoints(index=index))).count == 1


async def test_fetched_vectors_belong_to_the_ids_that_exist(vectors: Vectors) -> None:
    points, rows = corpus(300, seed=6)
    index = await index_of(vectors, points, rows)
    asked = (points[299].id, uuid4(), points[0].id, points[299].id)
    fetched = await vectors.fetch(FetchVectors(index=index, ids=asked))
    assert fetched.ids == (points[299].id, points[0].id)
    expected = rows[[299, 0]] / np.linalg.norm(rows[[299, 0]], axis=1, keepdims=True)
    np.testing.assert_allclose(fetched.vectors, expected, atol=1e-6)
    assert (await vectors.fetch(FetchVectors(index=index, ids=(uuid4(),)))).vectors.shape == (0, DIMENSIONS)


async def test_the_same_again_is_the_same_state(vectors: Vectors) -> None:
    points, rows = corpus(10, seed=7)
    index = await index_of(vectors, points, rows)
    await vectors.ensure(EnsureIndex(index=index, dimensions=DIMENSIONS))
    await vectors.upsert(Upsert(index=index, points=tuple(points), vectors=rows))
    known = {i.name: i for i in (await vectors.status(Nothing())).indexes}
    assert (known[index].points, known[index].dimensions) == (10, DIMENSIONS)


async def test_a_query_without_a_term_finds_nothing(vectors: Vectors) -> None:
    index = await index_of(vectors, [point("")])
    assert await keyword_scores(vectors, index, "  ", {"usr_a"}) == {}
    empty = await vectors.weigh(WeighTerms(index=index, text=" ", readers=frozenset({"usr_a"})))
    assert (empty.weights, empty.unknown) == ({}, ())


async def test_a_tally_counts_each_value_of_a_field_exactly(vectors: Vectors) -> None:
    points, rows = corpus(300, seed=3)
    index = await index_of(vectors, points, rows)
    of_one = (AnyOf(field="collection", values=("col_1",)),)
    counted = (await vectors.tally(TallyPoints(index=index, field="readers", filter=of_one))).counts
    told = [p.payload["readers"] for p in points if p.payload["collection"] == "col_1"]
    assert counted == {token: sum(token in readers for readers in told) for token in ("usr_a", "usr_b", "grp_c")}
    whole = (await vectors.tally(TallyPoints(index=index, field="document"))).counts
    assert whole == {"doc_1": len(points)}
    assert (await vectors.tally(TallyPoints(index=await emptied(vectors), field="document"))).counts == {}

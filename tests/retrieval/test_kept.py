"""Answers that are kept: the same question costs nothing twice, and never tells what is no more so."""

import asyncio

import pytest

from kit.office import Office
from muniment.collections.contract import CollectionMissing
from muniment.documents.contract import ById, SetAccess, UpdateDocument
from muniment.kernel.caller import calling_as
from muniment.kernel.problems import Problem, Unavailable
from muniment.retrieval.contract import Hits, Search
from muniment.retrieval.kept import KeptAnswers, Marks, Question, normalised
from muniment.retrieval.remembered import Remembered
from muniment.retrieval.service import HybridRetrieval
from muniment.vectors.contract import EngineDown
from retrieval.conftest import retrieval_over
from retrieval.test_service import ADA, OneVector, room, search

A, B = Marks("1", "1"), Marks("1", "2")
NOBODY: frozenset[str] = frozenset()
NOTHING = Hits(hits=(), took_ms=1)


def of(request: str) -> Question:
    return Question(request, NOBODY, NOBODY, NOBODY, "")


@pytest.fixture
def retrieval(office: Office) -> HybridRetrieval:
    return retrieval_over(office, cache_bytes=1_000_000)


async def asked(
    office: Office, retrieval: HybridRetrieval, who: str, query: str = "lease", **more: object
) -> Hits:
    with calling_as(office.callers[who]):
        return await retrieval.search(Search.model_validate({"query": query, **more}))


def searches(office: Office) -> int:
    return office.vectors.calls["search"] + office.vectors.calls["candidates"]


async def test_the_same_question_is_answered_from_memory_but_for_white_space(
    office: Office, retrieval: HybridRetrieval
) -> None:
    await office.put("ada", "a.md", "a lease of storage")
    first = await asked(office, retrieval, "ben", query="storage  lease ")
    again = await asked(office, retrieval, "ben", query="storage lease")
    async with asyncio.timeout(20):
        while "engine" in again.timings:  # what follows an upload is still being written
            again = await asked(office, retrieval, "ben", query="storage lease")
    before = searches(office)
    await asked(office, retrieval, "ben", query="storage \n lease")
    assert searches(office) == before
    assert again.hits == first.hits
    assert again.hits
    assert set(again.timings) == {"cache"}
    assert {"cache", "embed", "engine", "fuse", "hydrate", "scope"} <= set(first.timings)


@pytest.mark.parametrize(
    "more", [{"limit": 3}, {"mode": "dense"}, {"group_by": "document"}, {"filters": {"key": "a.md"}}]
)
async def test_another_question_is_another_answer(
    office: Office, retrieval: HybridRetrieval, more: dict[str, object]
) -> None:
    await office.put("ada", "a.md", "a lease of storage")
    await asked(office, retrieval, "ben")
    before = searches(office)
    await asked(office, retrieval, "ben", **more)
    assert searches(office) > before


async def test_what_a_scope_opened_is_not_kept_for_a_key_without_it(
    office: Office, retrieval: HybridRetrieval
) -> None:
    root = office.callers["root"]
    office.callers["key"] = root.model_copy(update={"scopes": root.scopes - {"collections:admin"}})
    await office.put("ada", "a.md", "a lease of storage")
    assert not (await asked(office, retrieval, "root", collections=["handbook"])).hits
    with pytest.raises(CollectionMissing):
        await asked(office, retrieval, "key", collections=["handbook"])


async def test_nobody_gets_what_was_kept_for_another(office: Office, retrieval: HybridRetrieval) -> None:
    await office.put("ada", "a.md", "a lease of storage")
    assert (await asked(office, retrieval, "ben")).hits
    assert not (await asked(office, retrieval, "eve")).hits


async def test_what_is_written_granted_or_deleted_is_in_the_next_answer(
    office: Office, retrieval: HybridRetrieval
) -> None:
    put = await office.put("ada", "a.md", "a lease")
    document = str(put.id)

    async def texts(who: str) -> list[str]:
        await asked(office, retrieval, who)
        return [hit.chunk.text for hit in (await asked(office, retrieval, who)).hits]

    assert await texts("ben") == ["a lease"]
    await office.put("ada", "a.md", "another lease")
    assert await texts("ben") == ["another lease"]
    assert await texts("eve") == []
    with office.asking("ada") as documents:
        await documents.set_access(SetAccess(id=document, grants=("user:eve",)))
    assert await texts("eve") == ["another lease"]
    with office.asking("ada") as documents:
        await documents.set_access(SetAccess(id=document, grants=()))
    assert await texts("eve") == []
    with office.asking("ada") as documents:
        await documents.update(UpdateDocument(id=document, title="Renamed"))
    assert [h.document.title for h in (await asked(office, retrieval, "ben")).hits] == ["Renamed"]
    with office.asking("ada") as documents:
        await documents.delete(ById(id=document))
    assert await texts("ben") == []


async def test_a_degraded_answer_is_not_kept() -> None:
    embedding = OneVector(Unavailable("down"))
    service, engine = room(embedding=embedding, cache_bytes=1_000_000)
    assert (await search(service, ADA)).degraded == ("dense",)
    embedding.problem = None
    assert (await search(service, ADA)).degraded == ()
    before = len(engine.asked)
    assert (await search(service, ADA)).degraded == ()
    assert len(engine.asked) == before


@pytest.mark.parametrize("down", [EngineDown("down"), Unavailable("down")])
async def test_while_the_engine_is_down_what_it_said_last_is_read_anew(
    office: Office, retrieval: HybridRetrieval, down: Problem
) -> None:
    ids = {key: (await office.put("ada", key, f"a lease of {key}")).id for key in ("a.md", "b.md", "c.md", "d.md")}
    before = await asked(office, retrieval, "ben")
    await asked(office, retrieval, "ben", query="filtered lease", filters={"key": "b.md"})
    await office.put("ada", "c.md", "another lease")
    await office.put("ada", "e.md", "a lease of e.md")
    with office.asking("ada") as documents:
        await documents.delete(ById(id=str(ids["a.md"])))
        await documents.set_access(SetAccess(id=str(ids["d.md"]), access_level="restricted"))
        await documents.update(UpdateDocument(id=str(ids["b.md"]), title="Renamed"))
    office.vectors.fails["candidates"] = down
    found = await asked(office, retrieval, "ben")
    assert [(hit.document.title, hit.chunk.text) for hit in found.hits] == [("Renamed", "a lease of b.md")]
    assert found.degraded == ("cache",)
    assert found.hits[0].score == next(hit.score for hit in before.hits if hit.document.key == "b.md")
    for who, more in (
        ("ben", {"query": "never asked"}),
        ("ben", {"query": "filtered lease", "filters": {"key": "b.md"}}),
        ("ben", {"explain": True}),
        ("ada", {}),
        ("eve", {}),
    ):
        with pytest.raises(type(down)):
            await asked(office, retrieval, who, **{"query": "lease", **more})
    del office.vectors.fails["candidates"]
    again = await asked(office, retrieval, "ben")
    assert (again.degraded, len(again.hits)) == ((), 3)


async def test_nothing_current_is_left_of_what_was_found(office: Office, retrieval: HybridRetrieval) -> None:
    put = await office.put("ada", "a.md", "a lease")
    assert (await asked(office, retrieval, "ben")).hits
    with office.asking("ada") as documents:
        await documents.delete(ById(id=str(put.id)))
    office.vectors.fails["candidates"] = EngineDown("down")
    with pytest.raises(EngineDown):
        await asked(office, retrieval, "ben")


async def test_what_is_remembered_is_bounded(office: Office) -> None:
    put = await office.put("ada", "a.md", "a lease")
    with calling_as(office.callers["ben"]):
        found = await retrieval_over(office).search(Search(query="lease"))
        remembered = Remembered(office.room, 20_000)
        for number in range(100):
            remembered.put(of(str(number)), found)
        answers = [await remembered.answer(of(str(number))) for number in range(100)]
    there = [hits for hits in answers if hits]
    assert 0 < len(there) < 20
    assert answers[-1] is not None
    assert answers[-1].hits[0].document.id == put.id


def test_nothing_is_kept_of_what_was_overtaken_or_is_too_large() -> None:
    kept = KeptAnswers(1_000_000)
    assert kept.get(A, of("q")) is None
    kept.put(A, of("q"), NOTHING)
    assert kept.get(A, of("q")) == NOTHING
    assert kept.get(B, of("q")) is None
    kept.put(A, of("q"), NOTHING)
    assert kept.get(B, of("q")) is None
    kept.put(B, of("q" * 100_000), NOTHING)
    assert kept.get(B, of("q" * 100_000)) is None


def test_answers_without_hits_are_bounded_as_well() -> None:
    kept = KeptAnswers(100_000)
    kept.get(A, of("0"))
    for number in range(100):
        kept.put(A, of(str(number)), NOTHING)
    found = [number for number in range(100) if kept.get(A, of(str(number)))]
    assert 0 < len(found) < 100
    assert found[-1] == 99


def test_a_query_is_the_same_however_it_is_composed() -> None:
    assert normalised("Zu\u0308rich\n lease ") == normalised("Z\u00fcrich lease")

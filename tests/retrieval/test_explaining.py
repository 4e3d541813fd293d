"""Why a document is found, or not: one reason at a time, and none for those who may not read it."""

from datetime import timedelta

import pytest

from kit.office import Office
from muniment.collections.contract import PrepareIndex, StandbyMissing
from muniment.documents.contract import DocumentMissing
from muniment.kernel.caller import calling_as
from muniment.kernel.problems import Forbidden, Problem
from muniment.retrieval.contract import Explained, ExplainSearch
from retrieval.conftest import retrieval_over


async def why(office: Office, who: str, document: str | None, query: str = "lease", **more: object) -> Explained:
    with calling_as(office.callers[who]):
        asked = ExplainSearch.model_validate({"query": query, "document": document, **more})
        return await retrieval_over(office).explain(asked)


async def test_what_is_found_has_a_rank_and_its_sides(office: Office) -> None:
    await office.put("ada", "b.md", "storage")
    put = await office.put("ada", "a.md", "lease lease")
    found = await why(office, "ben", put.id)
    assert (found.outcome, found.rank) == ("found", 1)
    assert {standing.signal for standing in found.standings} == {"dense", "keyword"}
    assert found.hit is not None
    assert found.hit.document.id == put.id
    assert "number 1" in found.says


async def test_each_filter_that_keeps_it_out_is_named(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease", tags=("x",))
    filters = {"tags": ["y"], "key": ["a.md"], "created_at": {"lte": "2001-01-01T00:00:00Z"}}
    found = await why(office, "ben", put.id, filters=filters)
    assert (found.outcome, found.excluded_by) == ("filtered", ("tags", "created_at"))
    assert "tags" in found.says


async def test_another_collection_is_said(office: Office) -> None:
    office.shelves.add("notes")
    office.user("ada", member_of=["handbook", "notes"])
    put = await office.put("ada", "a.md", "lease")
    found = await why(office, "ada", put.id, collections=["notes"])
    assert found.outcome == "elsewhere"
    assert "handbook" in found.says
    assert "notes" in found.says


async def test_what_could_not_be_read_tells_its_reason(office: Office) -> None:
    put = await office.put("ada", "a.md", "   ")
    found = await why(office, "ada", put.id)
    assert found.outcome == "failed"
    problem = (await office.get("ada", put.id)).versions[-1].problem
    assert problem is not None
    assert str(problem["detail"]) in found.says


async def test_a_slip_is_explained_by_what_was_looked_for_instead(office: Office) -> None:
    put = await office.put("ada", "a.md", "a certificate of storage")
    found = await why(office, "ben", put.id, query="certifcate", mode="keyword")
    assert (found.outcome, found.rank) == ("found", 1)
    assert 'for "certificate" instead' in found.says
    assert [standing.signal for standing in found.standings] == ["keyword"]


async def test_words_that_it_does_not_hold(office: Office) -> None:
    put = await office.put("ada", "a.md", "storage")
    assert (await why(office, "ben", put.id, mode="keyword")).outcome == "unmatched"


async def test_what_has_no_passages_in_the_index_says_so(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease")
    for points in office.vectors.points.values():
        points.clear()
    assert (await why(office, "ben", put.id)).outcome == "not-indexed"


async def test_a_stranger_gets_what_an_unknown_id_gets(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease")
    said: list[Problem] = []
    for document in (put.id, "doc_nothing"):
        with pytest.raises(DocumentMissing) as refused:
            await why(office, "eve", document)
        said.append(refused.value)
    assert said[0].detail.replace(str(put.id), "*") == said[1].detail.replace("doc_nothing", "*")


async def test_it_is_explained_as_of_the_time_that_was_searched(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease of old", tags=("x",))
    await office.put("ada", "a.md", "nothing of it", tags=("x",))
    old, new = (await office.get("ada", put.id)).versions
    assert old.current_from is not None
    for query, when, outcome in (
        ("lease", old.current_from, "found"),
        ("lease", new.current_from, "unmatched"),
        ("nothing", old.current_from, "unmatched"),
        ("nothing", None, "found"),
    ):
        found = await why(office, "ben", put.id, query=query, mode="keyword", as_of=when)
        assert found.outcome == outcome
    filters = {"tags": ["y"]}
    assert (await why(office, "ben", put.id, as_of=old.current_from, filters=filters)).excluded_by == ("tags",)
    before = await why(office, "ben", put.id, as_of=old.current_from - timedelta(days=1))
    assert before.outcome == "not-indexed"
    assert "no version that was current" in before.says


async def test_a_version_that_is_no_longer_kept_is_said(office: Office) -> None:
    put = await office.put("ada", "a.md", "lease")
    (old,) = (await office.get("ada", put.id)).versions
    office.shelves.keep("handbook", 0)
    await office.put("ada", "a.md", "another")
    await office.settled(lambda: len(office.vectors.payloads()) == 1)
    office.shelves.keep("handbook", None)  # not before the old version is gone, which it would keep
    found = await why(office, "ben", put.id, as_of=old.current_from)
    assert (found.outcome, "not kept" in found.says or "no version" in found.says) == ("not-indexed", True)


async def test_it_is_explained_under_the_ranking_that_was_asked_for(office: Office) -> None:
    await office.put("ada", "b.md", "storage")
    put = await office.put("ada", "a.md", "lease lease")
    by_words = await why(office, "ben", put.id, ranking={"dense": 0})
    assert by_words.hit is not None
    assert by_words.hit.explanation is not None
    assert {part.signal: part.adds for part in by_words.hit.explanation.parts}["dense"] == 0


async def test_the_second_index_is_explained_to_who_may_search_it(office: Office) -> None:
    office.user("mia", member_of=["handbook"], manager_of=["handbook"])
    put = await office.put("ada", "a.md", "lease")
    asked = {"collections": ["handbook"], "standby": True}
    with pytest.raises(StandbyMissing):
        await why(office, "mia", put.id, **asked)
    with calling_as(office.callers["mia"]):
        run = await office.room.build_index(PrepareIndex(collection="handbook", recipe="structure-200"))
    await office.over("mia", run.id)
    assert (await why(office, "mia", put.id, **asked)).outcome == "found"
    for name, points in office.vectors.points.items():
        if "200" in name:
            points.clear()
    assert (await why(office, "mia", put.id, **asked)).outcome == "not-indexed"
    assert (await why(office, "mia", put.id, collections=["handbook"])).outcome == "found"
    with pytest.raises(Forbidden):
        await why(office, "ben", put.id, **asked)

"""What a query may say: phrases in quotes, slips of the pen, a ranking of its own, and why each hit is there."""

import pytest

from kit.office import Office
from muniment.collections.contract import IndexRef, Ranking
from muniment.documents.contract import Hydrate, Passages
from muniment.kernel.caller import calling_as
from muniment.kernel.problems import Throttled
from muniment.retrieval.contract import Hits, Mode, Search
from muniment.vectors.contract import TermWeights, WeighTerms
from retrieval.conftest import retrieval_over

MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")


async def search(office: Office, query: str, who: str = "ben", **more: object) -> Hits:
    with calling_as(office.callers[who]):
        return await retrieval_over(office).search(Search.model_validate({"query": query, **more}))


def keys(hits: Hits) -> list[str]:
    return [hit.document.key for hit in hits.hits]


@pytest.mark.parametrize("mode", MODES)
async def test_words_in_quotes_are_said_exactly_or_nothing_is_found(office: Office, mode: Mode) -> None:
    await office.put("ada", "a.md", "The Lease\nrenewal is due.")
    await office.put("ada", "b.md", "Renewal of each lease; lease and renewal.")
    await office.put("ada", "c.md", "Nothing of the kind.", title="On lease renewal")
    assert set(keys(await search(office, '"lease renewal"', mode=mode))) == {"a.md", "c.md"}
    assert keys(await search(office, '"lease renewal" "is due"', mode=mode)) == ["a.md"]
    assert keys(await search(office, '"renewals lease"', mode=mode)) == []
    assert "b.md" in keys(await search(office, "lease renewal", mode=mode))


async def test_a_question_that_mentions_what_nothing_says_is_asked_without_the_quotes(office: Office) -> None:
    await office.put("ada", "a.md", "The series is shown by a channel of the sky.")
    await office.put("ada", "b.md", "Another one is shown by Sky Radio.")
    asked = 'Which channel shows the series named "{}"?'
    held = await search(office, asked.format("sky radio"))
    assert (keys(held), held.corrected) == (["b.md"], None)
    mentioned = await search(office, asked.format("Rise of the Beetle"))
    assert set(keys(mentioned)) == {"a.md", "b.md"}
    assert mentioned.corrected == "Which channel shows the series named Rise of the Beetle?"
    sentence = '"Which of the channels shows the series of that name today?"'
    assert (await search(office, sentence)).hits
    assert (await search(office, sentence, mode="keyword")).hits == ()


@pytest.mark.parametrize("mode", MODES)
async def test_a_phrase_is_found_behind_many_that_only_hold_its_words(office: Office, mode: Mode) -> None:
    await office.put(
        "ada", "many.md", "\n\n".join(f"# Part {n}\n\nrenewal lease renewal lease" for n in range(150))
    )
    await office.put(
        "ada", "one.md", "a long tale " * 20 + "of lease renewal and much else besides, at some length"
    )
    found = await search(office, '"lease renewal and much"', mode=mode, limit=5)
    assert keys(found) == ["one.md"]


async def test_who_says_a_phrase_far_from_the_question_stands_behind_who_is_near(office: Office) -> None:
    many = "\n\n".join(f"# Part {n}\n\nWarm and warm renewal, warm lease." for n in range(250))
    await office.put("ada", "many.md", many)
    await office.put("ada", "near.md", "Warm lease renewal.")
    for name in ("far.md", "farther.md"):
        await office.put(
            "ada", name, "a long tale " * 40 + "of lease renewal and much else besides, at some length"
        )
    hits = (await search(office, 'warm "lease renewal" warm', limit=5)).hits
    assert hits[0].document.key == "near.md"
    assert {hit.document.key for hit in hits[1:]} == {"far.md", "farther.md"}
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] < scores[0] <= 1


async def test_a_phrase_of_words_that_are_no_terms_is_found_by_the_rest_of_the_question(office: Office) -> None:
    crowd = "\n\n".join(f"# Part {n}\n\nA lantern, lantern and lantern." for n in range(150))
    await office.put("ada", "many.md", crowd)
    await office.put(
        "ada", "one.md", "Of a lantern that is to be or not to be, at some length. " + "And so on. " * 30
    )
    for mode in MODES:
        found = await search(office, '"to be or not" lantern', mode=mode, limit=5)
        assert keys(found) == ["one.md"], mode


async def test_a_phrase_whose_words_many_have_is_found_by_the_rest_of_the_question(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.retrieval.service.MOST_CANDIDATES", 150)
    await office.put("ada", "a.md", "\n\n".join(f"# A {n}\n\nEngine, copper and engine." for n in range(200)))
    await office.put("ada", "b.md", "\n\n".join(f"# B {n}\n\nTurbine and turbine." for n in range(120)))
    late = "In the turbine hall a copper engine stood. " + "It was long ago. " * 20
    await office.put("ada", "one.md", late)
    found = await search(office, 'turbine "copper engine"', limit=5, explain=True)
    assert (keys(found), found.corrected) == (["one.md"], None)
    explanation = found.hits[0].explanation
    assert explanation is not None
    assert explanation.says


async def test_many_passages_of_few_documents_are_read_in_parts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.retrieval.hydrating._AT_ONCE", 20)
    await office.put("ada", "a.md", "\n\n".join(f"# A {n}\n\nEngine and copper." for n in range(90)))
    await office.put(
        "ada", "b.md", "\n\n".join(f"# B {n}\n\nEngine and copper." for n in range(90)) + " The copper engine."
    )
    asked, hydrate = list[int](), office.room.hydrate

    async def noted(request: Hydrate) -> Passages:
        asked.append(len(request.chunks))
        return await hydrate(request)

    monkeypatch.setattr(office.room, "hydrate", noted)
    found = await search(office, '"copper engine"', group_by="document")
    assert keys(found) == ["b.md"]
    assert max(asked) == 20


@pytest.mark.parametrize("mode", MODES)
async def test_a_document_stands_where_the_passage_does_that_is_shown_of_it(office: Office, mode: Mode) -> None:
    for number in range(4):
        late = "And so on. " * 10 * (4 - number) + f"The engine of old {number}."
        await office.put("ada", f"{number}.md", f"# A\n\nEngine engine engine.\n\n# B\n\n{late}")
    hits = (await search(office, 'engine "engine of old"', mode=mode, group_by="document")).hits
    assert {hit.document.key for hit in hits} == {f"{number}.md" for number in range(4)}
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


async def test_what_does_not_say_a_phrase_is_named_only_to_who_may_read_it(office: Office) -> None:
    await office.put("ada", "a.md", "The lease renewal is due.")
    await office.put("ada", "b.md", "Renewal of each lease.")
    await office.put("ada", "c.md", "Renewal of a secret lease.", access_level="restricted")
    chunks = tuple(hit.chunk.id for hit in (await search(office, "renewal lease", who="ada")).hits)
    assert len(chunks) == 3
    with calling_as(office.callers["ben"]):
        read = await office.room.hydrate(Hydrate(chunks=chunks, phrases=("LEASE  renewal",)))
    assert [passage.document.key for passage in read.passages.values()] == ["a.md"]
    assert len(read.unsaid) == 1


async def test_what_does_not_say_a_phrase_is_read_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.put(
        "ada", "many.md", "\n\n".join(f"# Part {n}\n\nrenewal lease renewal lease" for n in range(150))
    )
    read, hydrate = list[str](), office.room.hydrate

    async def noted(request: Hydrate) -> Passages:
        read.extend(request.chunks)
        return await hydrate(request)

    monkeypatch.setattr(office.room, "hydrate", noted)
    found = await search(office, '"renewal of a lease"', mode="keyword", limit=5)
    assert found.hits == ()
    assert len(read) == len(set(read)) == 150


async def test_a_slip_is_mended_only_where_nothing_matches(office: Office) -> None:
    await office.put("ada", "a.md", "certificate renewal")
    found = await search(office, "certifcate", mode="keyword")
    assert (keys(found), found.corrected) == (["a.md"], "certificate")
    exact = await search(office, "certifcate renewal", mode="keyword")
    assert (keys(exact), exact.corrected) == (["a.md"], None)
    none = await search(office, "xylophone", mode="keyword")
    assert (none.hits, none.corrected) == ((), None)


async def test_a_slip_is_never_mended_from_what_the_caller_may_not_read(office: Office) -> None:
    await office.put("ada", "a.md", "certificate", access_level="restricted")
    await office.put("ada", "b.md", "a word that ben reads")
    found = await search(office, "certifcate", mode="keyword")
    assert (found.hits, found.corrected) == ((), None)
    found = await search(office, "certifcate")
    assert (keys(found), found.corrected) == (["b.md"], None)


async def test_a_slip_in_a_word_that_nobody_visible_knows_is_mended_by_meaning_and_words(office: Office) -> None:
    await office.put("ada", "a.md", "To restart a probe, hold its key.")
    await office.put("ada", "b.md", "The warehouse opens at eight.")
    found = await search(office, "restrat a prbe")
    assert (keys(found)[0], found.corrected) == ("a.md", "restart a probe")
    assert (await search(office, "restrat a prbe", limit=1)).hits == found.hits[:1]
    assert (await search(office, "restrat a prbe", mode="dense")).corrected is None
    assert (await search(office, '"restrat a prbe"')).hits == ()
    healthy = await search(office, "restart a probe")
    assert [hit.chunk.id for hit in healthy.hits] == [hit.chunk.id for hit in found.hits]
    assert [hit.score for hit in healthy.hits] == [hit.score for hit in found.hits]


async def test_what_was_found_stands_where_a_slip_cannot_be_asked_about(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.put("ada", "a.md", "To restart a probe, hold its key.")

    async def busy(_: WeighTerms) -> TermWeights:
        raise Throttled("too many wait", retry_after_seconds=1)

    monkeypatch.setattr(office.vectors, "weigh", busy)
    found = await search(office, "restrat a probe")
    assert (keys(found), found.corrected, found.degraded) == (["a.md"], None, ())
    with pytest.raises(Throttled):
        await search(office, "restrat zzzz", mode="keyword")


async def test_a_word_that_is_known_but_not_in_what_was_found_is_no_slip(office: Office) -> None:
    for number in range(12):
        await office.put("ada", f"{number}.md", f"causal causal causal of the storage {number}")
    assert (await search(office, "storage casual")).corrected == "storage causal"
    await office.put(
        "ada", "c.md", "A casual walk in the park, and much else that is said of parks and their walks. " * 3
    )
    found = await search(office, "storage storage storage causal casual")
    assert (found.corrected, "c.md" in keys(found)) == (None, False)


async def test_the_index_is_not_asked_of_the_words_of_a_query_that_found_them(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.put("ada", "a.md", "To restart a probe, hold its key.")
    asked: list[str] = []
    weigh = office.vectors.weigh

    async def noted(request: WeighTerms) -> TermWeights:
        asked.append(request.text)
        return await weigh(request)

    monkeypatch.setattr(office.vectors, "weigh", noted)
    for healthy in ("restart a probe", "restarting probes", "quite another matter", "RW-5103"):
        await search(office, healthy)
    assert asked == []
    await search(office, "restrat the probe")
    assert asked == ["restrat"]


async def test_each_hit_says_why_it_is_there_when_asked(office: Office) -> None:
    for key, text in (("a.md", "lease of storage"), ("b.md", "storage"), ("c.md", "nothing else")):
        await office.put("ada", key, text)
    plain, told = await search(office, "lease"), await search(office, "lease", explain=True)
    assert keys(plain) == keys(told)
    assert all(hit.explanation is None for hit in plain.hits)
    for hit in told.hits:
        assert hit.explanation is not None
        assert hit.explanation.says.endswith(".")
        assert {part.signal for part in hit.explanation.parts} == {"dense", "words", "grams"}
        adds = [part.adds for part in hit.explanation.parts]
        assert adds == sorted(adds, reverse=True)
    best = next(hit for hit in told.hits if hit.document.key == "a.md").explanation
    assert best is not None
    assert "its words" in best.says


async def test_indexes_of_one_model_are_judged_together(office: Office) -> None:
    office.shelves.add("bakery")
    ref = office.shelves.refs["bakery"]
    other = IndexRef(name="m.structure-160.2", model="m", recipe="structure-160", generation=2)
    office.shelves.refs["bakery"] = ref.model_copy(update={"index": other})
    office.user("ada", member_of=["handbook", "bakery"])
    for key, text in (("a.md", "lease"), ("b.md", "a lease of storage"), ("c.md", "the lease and storage")):
        await office.put("ada", key, text)
    await office.put("ada", "bread.md", "bread is baked before sunrise", collection="bakery")
    found = await search(office, "lease", who="ada")
    assert keys(found)[-1] == "bread.md"
    assert found.hits[-1].score < min(hit.score for hit in found.hits[:-1])


@pytest.mark.parametrize("named", [None, ["handbook", "bakery"]])
async def test_a_collections_prior_counts_beside_other_collections(
    office: Office, named: list[str] | None
) -> None:
    office.shelves.add("bakery")
    office.user("ada", member_of=["handbook", "bakery"])
    for collection in ("handbook", "bakery"):
        for text in ("lease of storage", "a table", "some chairs"):
            await office.put("ada", f"{collection} {text}", text, collection=collection)

    async def of_words(**more: object) -> dict[str, float]:
        found = await search(office, "lease", who="ada", collections=named, explain=True, **more)
        parts = {hit.document.key: hit.explanation for hit in found.hits}
        return {
            collection: next(part.adds for part in explained.parts if part.signal == "words")
            for collection in ("handbook", "bakery")
            if (explained := parts[f"{collection} lease of storage"])
        }

    alike = await of_words()
    assert alike["handbook"] == pytest.approx(alike["bakery"])
    ref = office.shelves.refs["bakery"]
    office.shelves.refs["bakery"] = ref.model_copy(update={"ranking": Ranking(prior=0.5)})
    found = await of_words()
    assert found["handbook"] == pytest.approx(alike["handbook"])
    assert found["bakery"] == pytest.approx(alike["bakery"] / 2)
    asked = await of_words(ranking=Ranking(prior=2).model_dump())
    assert asked["bakery"] == asked["handbook"] == pytest.approx(2 * alike["handbook"]), (
        "the request's own is for all"
    )


async def test_a_request_may_judge_otherwise(office: Office) -> None:
    for key, text in (("a.md", "lease of storage"), ("b.md", "storage"), ("c.md", "nothing else")):
        await office.put("ada", key, text)
    by_words = await search(office, "lease", ranking=Ranking(dense=0).model_dump(), explain=True)
    assert keys(by_words)[0] == "a.md"
    for hit in by_words.hits:
        assert hit.explanation is not None
        assert {part.signal: part.adds for part in hit.explanation.parts}["dense"] == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "query",
    [
        "a",
        "the of and",
        "?!",
        '""',
        '"',
        "\u4e2d\u6587",
        "x" * 8192,
        "lease " * 1365,
        "\u202e\u200b",
        "RW-5103 v1.28.3",
        "0",
    ],
    ids=lambda query: query[:12] if query.isascii() else "other",
)
async def test_odd_queries_have_sane_answers(office: Office, query: str, mode: Mode) -> None:
    await office.put("ada", "a.md", "lease RW-5103")
    found = await search(office, query, mode=mode)
    assert len(found.hits) <= 1
    assert all(0 <= hit.score <= 1 for hit in found.hits)


async def test_a_filter_that_excludes_everything_finds_nothing(office: Office) -> None:
    await office.put("ada", "a.md", "lease")
    assert (await search(office, "lease", filters={"tags": ["none"]})).hits == ()

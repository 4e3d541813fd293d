"""Answers: checked, cited by the character, or none."""

from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.conftest import FIRST, LEASES, SECOND, Said, Shelf, hit
from muniment.generation.contract import ModelUnknown
from muniment.kernel.problems import NotAvailable, Unavailable
from muniment.knowledge.contract import Ask, Completed, Noted, Retrieved
from muniment.knowledge.contract import Said as SaidEvent
from muniment.knowledge.service import NOTHING_FOUND, CheckedKnowledge

QUESTION = "How does the vault renew every lease?"


def knowledge(shelf, generation, least=-0.7):
    return CheckedKnowledge(shelf, generation, least=least)


def assert_sound(answer):
    """What holds of every answer."""
    assert answer.answer == (" ".join(s.text for s in answer.sentences) or NOTHING_FOUND)
    assert answer.abstained == (not answer.sentences)
    for sentence in answer.sentences:
        assert answer.answer[sentence.start : sentence.end] == sentence.text
        assert bool(sentence.footnotes) == (sentence.verdict != "unsupported")
    for footnote in answer.footnotes:
        assert footnote.quote == LEASES[footnote.span.start : footnote.span.end]
    used = [number for sentence in answer.sentences for number in sentence.footnotes]
    assert list(dict.fromkeys(used)) == [f.number for f in answer.footnotes] == list(range(1, len(set(used)) + 1))


async def test_quotes_with_footnotes_by_the_character(shelf):
    answer = await knowledge(shelf, Said()).ask(Ask(question=QUESTION, model="extractive"))
    assert_sound(answer)
    first, note = answer.sentences[0], answer.footnotes[0]
    assert (first.text, first.verdict) == ("The vault renews every lease after ten seconds.", "quoted")
    assert (note.document.id, note.document.version, note.chunk) == ("doc_1", 3, "chk_doc_1_1")
    assert (note.page, note.section) == (1, ("Leases",))
    assert answer.model == "extractive"
    assert answer.passages == shelf.hits


async def test_a_models_sentences_are_checked_and_marked(shelf):
    said = Said(
        ("Every lease is renewed by the vault after ten seconds.", 0),
        ("The vault was built by Martians in 1877.", 0),
        ("The vault renews every lease after ten seconds.",),
    )
    answer = await knowledge(shelf, said).ask(Ask(question=QUESTION))
    assert_sound(answer)
    assert [s.verdict for s in answer.sentences] == ["supported", "unsupported", "quoted"]
    assert answer.sentences[0].footnotes == answer.sentences[2].footnotes == (1,)
    assert answer.model == "m"


async def test_when_nothing_a_model_says_is_supported_quotes_stand_in(shelf):
    said = Said(("Martians built the pyramids of Giza.",), ("They came in 1877.",))
    answer = await knowledge(shelf, said).ask(Ask(question=QUESTION))
    assert_sound(answer)
    assert answer.model == "extractive"
    assert {s.verdict for s in answer.sentences} == {"quoted"}


async def test_unsupported_sentences_wait_for_a_supported_one(shelf):
    said = Said(("Martians built the pyramids of Giza.",), ("The vault renews every lease after ten seconds.",))
    answer = await knowledge(shelf, said).ask(Ask(question=QUESTION))
    assert_sound(answer)
    assert [s.verdict for s in answer.sentences] == ["unsupported", "quoted"]


async def test_the_order_of_events(shelf):
    said = Said(
        ("The vault renews every lease after ten seconds.",),
        ("A lease that is not renewed for thirty seconds expires.",),
    )
    events = [event async for event in knowledge(shelf, said).answer(Ask(question=QUESTION))]
    assert [e.kind for e in events] == ["passages", "footnote", "sentence", "footnote", "sentence", "done"]
    retrieved, done = events[0], events[-1]
    assert isinstance(retrieved, Retrieved)
    assert isinstance(done, Completed)
    assert retrieved.hits == done.answer.passages
    assert tuple(e.footnote for e in events if isinstance(e, Noted)) == done.answer.footnotes
    assert tuple(e.sentence for e in events if isinstance(e, SaidEvent)) == done.answer.sentences


@pytest.mark.parametrize(
    "question", ["Who painted the Mona Lisa?", "What is the price of tea in China?", "?", "\u202e\U0001f600"]
)
async def test_without_evidence_nothing_is_said(question):
    far = Shelf(hit("doc_1", "Backups of the vault are taken at night.", SECOND, dense=0.1))
    said = Said(("The vault renews every lease after ten seconds.",))
    answer = await knowledge(far, said).ask(Ask(question=question))
    assert_sound(answer)
    assert answer.abstained
    assert answer.passages == far.hits
    assert said.asked == []


async def test_no_passages_no_answer():
    answer = await knowledge(Shelf(), Said()).ask(Ask(question=QUESTION))
    assert answer.abstained
    assert answer.passages == ()


async def test_a_question_in_other_words_is_answered_when_it_is_near_enough():
    near = Shelf(hit("doc_1", "The vault renews every lease after ten seconds.", FIRST, dense=0.8))
    said = Said(("The vault renews every lease after ten seconds.",))
    answer = await knowledge(near, said).ask(Ask(question="Prolonging ownership automatically?"))
    assert not answer.abstained


async def test_what_was_missing_is_passed_on(shelf):
    shelf.degraded = ("dense",)
    answer = await knowledge(
        shelf, Said(("The vault renews every lease after ten seconds.",), degraded=("llm",))
    ).ask(Ask(question=QUESTION))
    assert answer.degraded == ("dense", "llm")


async def test_keyword_hits_have_evidence_too(shelf):
    shelf.hits = tuple(
        h.model_copy(update={"scores": h.scores.model_copy(update={"dense": None})}) for h in shelf.hits
    )
    assert not (await knowledge(shelf, Said()).ask(Ask(question=QUESTION, model="extractive"))).abstained


async def test_what_is_not_built_is_refused_at_once(shelf):
    with pytest.raises(NotAvailable):
        await anext(knowledge(shelf, Said()).answer(Ask(question=QUESTION, conversation="cnv_1")))
    assert shelf.searches == []


async def test_a_question_as_of_a_time_is_searched_and_weighed_as_of_it(shelf):
    then = datetime(2026, 1, 1, tzinfo=UTC)
    answer = await knowledge(shelf, Said()).ask(Ask(question=QUESTION, model="extractive", as_of=then))
    assert_sound(answer)
    assert {asked.as_of for asked in (*shelf.searches, *shelf.weighed)} == {then}
    assert len(shelf.weighed) == 1


async def test_an_unknown_model_is_refused_even_without_evidence():
    with pytest.raises(ModelUnknown):
        await knowledge(Shelf(), Said()).ask(Ask(question=QUESTION, model="gpt-9"))
    assert (await knowledge(Shelf(), Said()).ask(Ask(question=QUESTION, model="m"))).abstained


async def test_problems_of_neighbours_are_told_as_they_are(shelf):
    shelf.problem = Unavailable("vectors are down")
    with pytest.raises(Unavailable, match="vectors are down"):
        await knowledge(shelf, Said()).ask(Ask(question=QUESTION))


async def test_who_leaves_ends_the_writing(shelf):
    said = Said(*[("The vault renews every lease after ten seconds.",)] * 100)
    async with aclosing(knowledge(shelf, said).answer(Ask(question=QUESTION))) as events:
        async for event in events:
            if isinstance(event, SaidEvent):
                break
    assert said.closed.is_set()


async def test_filters_and_collections_reach_the_search(shelf):
    await knowledge(shelf, Said()).ask(
        Ask(question=QUESTION, model="extractive", collections=("handbook",), filters={"type": "TechSpec"})
    )
    (search,) = shelf.searches
    assert (search.collections, search.filters) == (("handbook",), {"type": "TechSpec"})
    assert search.group_by is None


SENTENCES = (
    "The vault renews every lease after ten seconds.",
    "Backups of the vault are taken at night.",
    "Martians did it.",
    "Every lease is renewed.",
    "They are kept for ninety days.",
)
WORDS = st.lists(st.sampled_from(SENTENCES), max_size=6)


@given(WORDS)
async def test_every_answer_is_sound(sentences):
    shelf = Shelf(
        hit("doc_1", "The vault renews every lease after ten seconds.", FIRST),
        hit("doc_1", "Backups of the vault are taken at night.", SECOND),
    )
    said = Said(*[(text, n % 3) for n, text in enumerate(sentences)])
    assert_sound(await knowledge(shelf, said, least=-100).ask(Ask(question=QUESTION)))

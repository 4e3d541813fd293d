"""Answers without a model."""

import pytest

from generation.conftest import WordVectors
from muniment.generation.contract import Finished, ModelUnknown, Sentence, Source, Write
from muniment.generation.service import PassageWriter
from muniment.kernel.model import Nothing

WEIGHTS = {"leas": 3.0, "renew": 3.0, "vault": 2.0}


@pytest.fixture
def writer(embedding):
    return PassageWriter(embedding)


async def written(writer, question, sources, **more):
    events = [event async for event in writer.write(Write(question=question, sources=sources, **more))]
    assert isinstance(events[-1], Finished)
    assert all(isinstance(event, Sentence) for event in events[:-1])
    return events[:-1], events[-1]


async def test_the_answer_is_a_quote_by_its_offsets(writer, leases):
    sentences, finished = await written(writer, "How does the vault renew leases?", leases, weights=WEIGHTS)
    assert sentences[0].text == "Leases are renewed by the vault every 10 seconds."
    for sentence in sentences:
        (quote,) = sentence.quotes
        assert " ".join(leases[quote.source].text[quote.start : quote.end].split()) == sentence.text
    assert finished == Finished(model="extractive")


async def test_one_to_three_and_none_that_repeats(writer):
    text = (
        "The vault renews leases. The vault renews the leases. Leases expire at noon. Backups run at night. " * 4
    )
    source = Source(title="V", section=(), text=text)
    sentences, _ = await written(
        writer, "When do leases expire and backups run?", (source, source, source),
        weights={"leas": 2.0, "expir": 2.0, "backup": 2.0, "run": 1.0},
    )  # fmt: skip
    assert [s.text for s in sentences] == ["Leases expire at noon.", "Backups run at night."]


async def test_nothing_of_the_question_is_no_sentence(writer, leases):
    sentences, finished = await written(
        writer, "Who painted the Mona Lisa?", leases, weights={"paint": 5.0, "mona": 5.0, "lisa": 5.0}
    )
    assert sentences == []
    assert finished.model == "extractive"


async def test_no_source_is_no_sentence(writer):
    assert await written(writer, "Why?", ()) == ([], Finished(model="extractive"))


async def test_without_embedding_words_decide_and_it_is_said(leases):
    embedding = WordVectors()
    embedding.down = True
    writer = PassageWriter(embedding)
    sentences, finished = await written(writer, "How does the vault renew leases?", leases, weights=WEIGHTS)
    assert sentences[0].text.startswith("Leases are renewed")
    assert finished.degraded == ("dense",)


async def test_few_texts_are_embedded_however_long_the_sources(writer, embedding):
    text = " ".join(f"Rule {n} says that leases are renewed." for n in range(500))
    await written(writer, "leases", tuple(Source(title="R", section=(), text=text) for _ in range(6)))
    assert embedding.texts == 6


async def test_of_the_longest_sentences_two_are_embedded(writer, embedding):
    text = " ".join(f"Leases are renewed {'by the vault that keeps them ' * 19}in room {n}." for n in range(9))
    await written(writer, "leases", (Source(title="R", section=(), text=text),))
    assert embedding.texts == 3


async def test_german_sources_are_read_with_german_stems(writer):
    source = Source(title="Haus", section=(), text="Die Häuser werden jährlich geprüft. Der Garten ist klein.")
    sentences, _ = await written(
        writer, "Wann wird das Haus geprüft?", (source,), weights={"haus": 3.0, "gepruft": 2.0}
    )
    assert [s.text for s in sentences] == ["Die Häuser werden jährlich geprüft."]


async def test_a_name_that_is_not_configured(writer, leases):
    with pytest.raises(ModelUnknown, match="gpt-9"):
        await written(writer, "Why?", leases, model="gpt-9")


async def test_quotes_are_always_ready(writer):
    writers = await writer.writers(Nothing())
    assert writers.default == "extractive"
    assert [(w.name, w.ready) for w in writers.items] == [("extractive", True)]


async def test_a_question_retold_is_no_answer_and_a_reason_answers_why(writer):
    text = "Ada asked why the vault renews leases. The vault renews leases because they expire. Leases are short."
    source = Source(title="V", section=(), text=text)
    sentences, _ = await written(writer, "Why does the vault renew leases?", (source,), weights=WEIGHTS)
    assert sentences[0].text == "The vault renews leases because they expire."

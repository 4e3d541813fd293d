"""Whether sources bear a sentence out."""

import pytest

from muniment.generation.contract import Check, Source
from muniment.generation.service import PassageWriter

SOURCES = (
    Source(
        title="Vault",
        section=("Leases",),
        text="The vault renews every lease after 10 seconds. A lease expires when the vault fails to renew it "
        "within 30 seconds. The master key is never written to disk.",
    ),
    Source(title="Team", section=(), text="Ada Example leads the storage team since 2019. The team sits in Bern."),
)


@pytest.fixture
def check(embedding):
    writer = PassageWriter(embedding)

    async def checked(sentence, cites=()):
        found = await writer.check(Check(sentence=sentence, sources=SOURCES, cites=cites))
        return found.verdict, [SOURCES[q.source].text[q.start : q.end] for q in found.quotes]

    return checked


async def test_the_very_words_are_quoted_whatever_the_white_space(check):
    assert await check("The vault renews\nevery  lease after 10 seconds.") == (
        "quoted",
        ["The vault renews every lease after 10 seconds."],
    )


async def test_other_words_for_the_same_are_supported_and_say_where(check):
    verdict, spans = await check("Every lease is renewed by the vault after 10 seconds.", cites=(0,))
    assert verdict == "supported"
    assert spans[0] == "The vault renews every lease after 10 seconds."


@pytest.mark.parametrize(
    "sentence",
    [
        "The vault renews every lease after 20 seconds.",
        "The vault does not renew every lease after 10 seconds.",
        "The master key is written to disk.",
        "The cafeteria serves lunch to visitors on Fridays.",
        "Ada Example leads the storage team since 2020.",
        "The storage team expires within 10 seconds.",
        "The vault.",
        "",
        "The the of.",
    ],
)
async def test_what_the_sources_do_not_say_is_unsupported(check, sentence):
    assert await check(sentence) == ("unsupported", [])


async def test_another_name_is_not_supported(check):
    verdict, _ = await check("Bob Sample leads the storage team since 2019.")
    assert verdict in {"partly", "unsupported"}


async def test_a_wrong_citation_does_not_matter_when_another_source_bears_it_out(check):
    verdict, spans = await check("Since 2019 the storage team is led by Ada Example.", cites=(0, 7))
    assert verdict == "supported"
    assert spans == ["Ada Example leads the storage team since 2019."]


async def test_no_source_supports_nothing(embedding):
    writer = PassageWriter(embedding)
    found = await writer.check(Check(sentence="The vault renews leases.", sources=()))
    assert found.verdict == "unsupported"

"""A language model's server, well and unwell."""

import asyncio

import pytest

from generation.conftest import writer_at
from muniment.generation.contract import Finished, Sentence, Write
from muniment.kernel.model import Nothing

QUOTE = "Leases are renewed by the vault every 10 seconds."


async def written(writer, sources, **more):
    request = Write(question="How does the vault renew leases every 10 seconds?", sources=sources, **more)
    events = [event async for event in writer.write(request)]
    return events[:-1], events[-1]


async def test_a_models_sentences_with_the_sources_they_name(server, embedding, leases):
    server.reply = server.words("Leases are ", "renewed [1", "]. Lunch is at noon", ". [2]")
    async with writer_at(server.url, embedding) as writer:
        sentences, finished = await written(writer, leases)
    assert sentences == [
        Sentence(text="Leases are renewed.", cites=(0,)),
        Sentence(text="Lunch is at noon.", cites=(1,)),
    ]
    assert finished == Finished(model="m")
    assert server.headers[0]["Authorization"] == "Bearer sk-test"
    body = server.asked[0]
    assert (body["model"], body["temperature"], body["stream"]) == ("m", 0, True)
    assert leases[0].text in body["messages"][1]["content"]


async def test_a_model_that_says_the_sources_do_not_answer(server, embedding, leases):
    server.reply = server.words("NO ANSWER")
    async with writer_at(server.url, embedding) as writer:
        assert await written(writer, leases) == ([], Finished(model="m"))


async def test_a_model_that_repeats_itself_is_stopped(server, embedding, leases):
    server.reply = server.words(*["Leases are renewed. ", "Nobody knows. "] * 50)
    async with writer_at(server.url, embedding) as writer:
        sentences, finished = await written(writer, leases)
    assert [s.text for s in sentences] == ["Leases are renewed.", "Nobody knows."]
    assert finished == Finished(model="m")


def unwell(server):
    return {
        "down": "http://127.0.0.1:1/v1",
        "refuses": 500,
        "wrong key": 401,
        "silent": server.silent,
        "drips": server.drip,
        "breaks off at once": server.words(end=False),
        "nonsense": server.raw(b"data: {not json\n\n"),
        "other json": server.raw(b'data: {"choices": 3}\n\n'),
        "no object": server.raw(b"data: []\n\n"),
        "text is a number": server.raw(b'data: {"choices": [{"delta": {"content": 3}}]}\n\n'),
        "an error": server.raw(b'data: {"error": {"message": "overloaded"}}\n\n'),
        "a web page": server.raw(b"<html>welcome</html>\n"),
        "a line without end": server.raw(b"data: " + b"x" * (5 << 20)),
    }


@pytest.mark.parametrize(
    "case",
    [
        "down", "refuses", "wrong key", "silent", "drips", "breaks off at once", "nonsense", "other json",
        "no object",
        "text is a number", "an error", "a web page", "a line without end",
    ],
)  # fmt: skip
async def test_when_the_server_fails_quotes_stand_in_and_it_is_said(server, embedding, leases, case):
    how = unwell(server)[case]
    if not isinstance(how, str):
        server.reply = how
    patience = {"first_seconds": 0.2} if case in {"silent", "drips"} else {}
    async with writer_at(how if isinstance(how, str) else server.url, embedding, **patience) as writer:
        sentences, finished = await written(writer, leases)
        assert sentences[0].text == QUOTE
        assert finished == Finished(model="extractive", degraded=("llm",))
        assert [w.ready for w in (await writer.writers(Nothing())).items] == [True, False]


@pytest.mark.parametrize("slow", [True, False])
async def test_a_stream_that_is_cut_ends_where_it_stood(server, embedding, leases, slow):
    said = server.words("Leases are renewed. [1] And th", end=False)

    async def reply(response):
        await said(response)
        if slow:
            await server.silent(response)

    server.reply = reply
    async with writer_at(server.url, embedding, idle_seconds=0.2) as writer:
        sentences, finished = await written(writer, leases)
    assert [s.text for s in sentences] == ["Leases are renewed."]
    assert finished == Finished(model="m", degraded=("llm",))


async def test_after_a_failure_auto_rests_and_a_name_insists(server, embedding, leases):
    server.reply = 500
    async with writer_at(server.url, embedding) as writer:
        await written(writer, leases)
        server.reply = server.words("Fine [1].")
        _, rested = await written(writer, leases)
        assert rested == Finished(model="extractive", degraded=("llm",))
        assert len(server.asked) == 1
        _, insisted = await written(writer, leases, model="m")
        assert insisted == Finished(model="m")


async def test_it_recovers_by_itself(server, embedding, leases):
    server.reply = 500
    async with writer_at(server.url, embedding, rest_seconds=0) as writer:
        await written(writer, leases)
        server.reply = server.words("Fine [1].")
        assert (await written(writer, leases))[1] == Finished(model="m")


async def test_who_leaves_stops_the_model(server, embedding, leases):
    left = asyncio.Event()

    async def endless(response):
        try:
            while True:
                await server.words("Leases are renewed. [1] ", end=False)(response)
                await asyncio.sleep(0.005)
        except ConnectionError:
            left.set()

    server.reply = endless
    async with writer_at(server.url, embedding) as writer:
        stream = writer.write(Write(question="Why?", sources=leases))
        assert (await anext(stream)).text == "Leases are renewed."
        await stream.aclose()
        async with asyncio.timeout(5):
            await left.wait()


async def test_extractive_by_name_asks_no_server(server, embedding, leases):
    async with writer_at(server.url, embedding) as writer:
        _, finished = await written(writer, leases, model="extractive")
    assert finished == Finished(model="extractive")
    assert server.asked == []

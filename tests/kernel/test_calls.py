"""One suite, every way of calling: guarded in process, and over HTTP on loopback."""

import asyncio
import contextlib
import json
import socket
import time
from contextlib import aclosing, suppress
from typing import Annotated, Literal, Protocol

import aiohttp
import numpy as np
import pytest
import uvicorn
from pydantic import Field
from starlette.applications import Starlette

from muniment.kernel.caller import LIFETIME_SECONDS, Caller, caller, calling_as, sign, verify
from muniment.kernel.client import client
from muniment.kernel.contract import Stream, idempotent, operations
from muniment.kernel.deadline import deadline, remaining_seconds
from muniment.kernel.local import local
from muniment.kernel.model import Change, Floats, Model
from muniment.kernel.policies import retrying
from muniment.kernel.problems import (
    DeadlineExceeded,
    Forbidden,
    Internal,
    Problem,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from muniment.kernel.server import routes
from muniment.kernel.streams import Pump
from muniment.kernel.transport import connect
from muniment.kernel.web import HANDLERS, Edge

SECRET = "a service token of the tests"


class Say(Model):
    text: str = Field(min_length=1)
    times: int = 1


class Said(Model):
    text: str
    principal: str
    left_seconds: float


class Token(Model):
    kind: Literal["token"] = "token"
    text: str


class Mark(Model):
    kind: Literal["mark"] = "mark"
    number: int


Part = Annotated[Token | Mark, Field(discriminator="kind")]


class Numbers(Model):
    rows: Floats


class Edit(Change):
    name: str
    title: str | None = None
    size: int | None = None


class Edited(Model):
    fields: tuple[str, ...]


class EchoTired(Problem, status=409): ...


class Echo(Protocol):
    @idempotent
    async def say(self, request: Say) -> Said:
        """What was said."""
        ...

    async def double(self, request: Numbers) -> Numbers: ...

    async def edit(self, request: Edit) -> Edited: ...

    def parts(self, request: Say) -> Stream[Part]: ...


class Voice:
    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.calls = 0

    async def say(self, request: Say) -> Said:
        self.calls += 1
        match request.text:
            case "tired":
                raise EchoTired("come back later", echo="e1")
            case "bug":
                raise KeyError("a secret of ours")
            case "slow":
                await asyncio.sleep(30)
            case "flaky" if self.calls < 3:
                raise Unavailable("not yet")
        return Said(text=request.text, principal=caller().principal, left_seconds=remaining_seconds())

    async def double(self, request: Numbers) -> Numbers:
        return Numbers(rows=request.rows * 2)

    async def edit(self, request: Edit) -> Edited:
        return Edited(fields=tuple(sorted(request.model_fields_set)))

    async def parts(self, request: Say) -> Stream[Part]:
        try:
            if request.text == "tired":
                raise EchoTired("before the first", echo="e1")
            for number in range(request.times):
                if request.text == "break" and number == 3:
                    raise EchoTired("halfway", echo="e1")
                if request.text == "slow":
                    await asyncio.sleep(30)
                yield Token(text=request.text + caller().principal) if number % 2 else Mark(number=number)
        finally:
            self.closed.set()


@contextlib.asynccontextmanager
async def on_loopback(app):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - the server sets a flag, not an event
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


def application(voice):
    return Edge(Starlette(routes=routes(Echo, local(Echo, voice), (SECRET,)), exception_handlers=HANDLERS))


@pytest.fixture
async def voice():
    return Voice()


@pytest.fixture(params=["local", "http"])
async def echo(request, voice):
    with calling_as(Caller(principal="usr_1", name="ada", tokens=frozenset({"usr_1", "grp_2"}))):
        if request.param == "local":
            yield local(Echo, voice)
            return
        async with on_loopback(application(voice)) as url, connect(url) as transport:
            yield client(Echo, transport, SECRET)


async def test_an_answer_and_the_caller_arrive(echo):
    said = await echo.say(Say(text="hello"))
    assert (said.text, said.principal) == ("hello", "usr_1")


async def test_floats_arrive_unchanged(echo):
    rows = np.array([[1.5, -2.25], [0.1, 3e-30]], np.float32)
    assert np.array_equal((await echo.double(Numbers(rows=rows))).rows, rows * 2)


async def test_a_change_says_what_was_set_and_null_is_said(echo):
    assert (await echo.edit(Edit(name="n", title=None))).fields == ("name", "title")


async def test_a_stream_of_a_union(echo):
    parts = [part async for part in echo.parts(Say(text="a\u2028b\r\n\n", times=3))]
    assert [type(p) for p in parts] == [Mark, Token, Mark]
    assert parts[1].text == "a\u2028b\r\n\nusr_1"


async def test_a_problem_keeps_its_class_and_fields(echo):
    with pytest.raises(EchoTired, match="come back later") as caught:
        await echo.say(Say(text="tired"))
    assert caught.value.extra["echo"] == "e1"


async def test_a_problem_before_the_first_event(echo):
    with pytest.raises(EchoTired, match="before the first"):
        [part async for part in echo.parts(Say(text="tired"))]


async def test_a_problem_halfway_after_the_events_before_it(echo):
    parts = echo.parts(Say(text="break", times=9))
    assert [(await anext(parts)).kind for _ in range(3)] == ["mark", "token", "mark"]
    with pytest.raises(EchoTired, match="halfway"):
        await anext(parts)


async def test_a_defect_is_internal_and_tells_nothing(echo):
    with pytest.raises(Internal) as caught:
        await echo.say(Say(text="bug"))
    assert "secret" not in str(caught.value.document())


async def test_a_deadline_bounds_a_call(echo):
    with pytest.raises(DeadlineExceeded):
        async with deadline(0.1):
            await echo.say(Say(text="slow"))


async def test_a_deadline_only_shortens_and_is_carried(echo):
    async with deadline(5), deadline(50):
        said = await echo.say(Say(text="hello"))
    assert 0 < said.left_seconds <= 5


async def test_no_call_starts_after_the_deadline(echo, voice):
    with pytest.raises(DeadlineExceeded):
        async with deadline(-1):
            await echo.say(Say(text="hello"))
    assert voice.calls == 0


async def test_the_first_event_is_awaited_no_longer_than_the_deadline(echo, voice):
    with pytest.raises(DeadlineExceeded):
        async with deadline(0.2):
            await anext(echo.parts(Say(text="slow", times=2)))
    await asyncio.wait_for(voice.closed.wait(), 5)


async def test_closing_a_stream_from_another_task_ends_the_producer(echo, voice):
    parts = echo.parts(Say(text="hello", times=1_000_000))
    await anext(parts)
    await asyncio.create_task(parts.aclose())
    await asyncio.wait_for(voice.closed.wait(), 5)
    assert [part async for part in parts] == []


async def test_who_is_given_up_while_closing_a_stream_hears_of_it():
    ending, end = asyncio.Event(), asyncio.Event()

    async def lingering():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ending.set()
            await end.wait()

    stream = Pump("lingering", lingering)
    assert await anext(stream) == 1
    closing = asyncio.create_task(stream.aclose())
    await ending.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    end.set()
    assert [event async for event in stream] == []


async def test_leaving_a_loop_early_ends_the_producer(echo, voice):
    async with aclosing(echo.parts(Say(text="hello", times=1_000_000))) as parts:
        async for _ in parts:
            break
        assert not voice.closed.is_set()
    await asyncio.wait_for(voice.closed.wait(), 5)


async def test_what_was_made_is_handed_over_before_the_next_is_thought_of():
    thought = []

    async def thinking():
        for number in range(3):
            thought.append(number)
            yield number

    stream = Pump("thinking", thinking)
    for number in range(3):
        assert await anext(stream) == number
        await asyncio.sleep(0.01)
        assert thought == list(range(number + 1))
    assert [event async for event in stream] == []


async def test_a_producer_that_loses_its_cancellation_is_ended_all_the_same():
    piece, after = asyncio.get_running_loop().create_future(), []

    async def losing():
        yield 0
        with suppress(asyncio.CancelledError):
            await piece
        yield 1
        after.append("asked for more")

    stream = Pump("losing", losing)
    assert await anext(stream) == 0
    asking = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        await stream.aclose()
    assert await asking is None
    assert after == []


async def test_an_idle_stream_is_given_up():
    async def silence():
        yield 1
        await asyncio.sleep(30)
        yield 2

    stream = Pump("silence", silence, idle_seconds=0.05)
    assert await anext(stream) == 1
    with pytest.raises(DeadlineExceeded):
        await anext(stream)


async def test_without_a_caller_there_is_no_principal(voice):
    with pytest.raises(Unauthenticated):
        await local(Echo, voice).say(Say(text="hello"))


async def test_the_wire_refuses_strangers_and_misfits(voice):
    async with on_loopback(application(voice)) as url, aiohttp.ClientSession() as http:

        async def post(body, **headers):
            async with http.post(f"{url}/internal/echo/say", data=body, headers=headers) as reply:
                return reply.status, await reply.json(content_type=None), reply.headers

        status, body, headers = await post(b'{"text": "x"}')
        assert (status, body["type"]) == (401, "urn:muniment:problem:unauthenticated")
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == body["request_id"]
        token = {"x-service-token": SECRET}
        forged = sign(Caller(principal="usr_0", name="eve"), "another secret")
        for signed in (forged, "é", "é.é"):
            assert (await post(b'{"text": "x"}', **token, **{"x-muniment-caller": signed}))[0] == 401
        assert (await post(b'{"text": "x"}', **{"x-service-token": "é"}))[0] == 401
        status, body, _ = await post(b'{"text": "", "more": 1}', **token)
        assert status == 422
        assert {e["field"] for e in body["errors"]} == {"text", "more"}
        assert (await post(b"{", **token))[0] == 422
        assert (await post(b'{"text": "x"}', **token, **{"x-deadline-ms": "soon"}))[0] == 422
        assert (await post(b'{"text": "slow"}', **token, **{"x-deadline-ms": "80"}))[0] == 504
    assert voice.calls == 1


async def test_nobody_home_is_unavailable():
    async with connect("http://127.0.0.1:9") as transport:
        with pytest.raises(Unavailable):
            await client(Echo, transport, SECRET).say(Say(text="hello"))


async def test_not_a_problem_document_is_unavailable():
    async def html(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>bad gateway"})

    async with on_loopback(html) as url, connect(url) as transport:
        with pytest.raises(Unavailable):
            await client(Echo, transport, SECRET).say(Say(text="hello"))


async def test_a_cut_stream_is_not_a_short_one():
    async def cut(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = b'event: item\ndata: {"kind":"mark","number":1}\n\n'
        await send({"type": "http.response.body", "body": body})

    async with on_loopback(cut) as url, connect(url) as transport:
        parts = client(Echo, transport, SECRET).parts(Say(text="x"))
        assert await anext(parts) == Mark(number=1)
        with pytest.raises(Unavailable, match="cut"):
            await anext(parts)


async def test_retrying_repeats_idempotent_operations_only(voice):
    with calling_as(Caller(principal="usr_1", name="ada")):
        said = await retrying(Echo, local(Echo, voice), first_seconds=0.001).say(Say(text="flaky"))
        assert (said.text, voice.calls) == ("flaky", 3)
        with pytest.raises(EchoTired):
            await retrying(Echo, voice, first_seconds=0.001).say(Say(text="tired"))
        assert voice.calls == 4


async def test_retrying_does_not_wait_past_the_deadline():
    class Busy(Voice):
        async def say(self, _):
            self.calls += 1
            raise Throttled("later", retry_after_seconds=60)

    busy = Busy()
    with pytest.raises(Throttled):
        await retrying(Echo, busy).say(Say(text="x"))
    assert busy.calls == 1


def test_a_signed_caller_is_believed_for_a_while_and_under_either_secret(monkeypatch):
    who = Caller(principal="usr_1", name="ada", tokens=frozenset(f"grp_{n}" for n in range(1000)))
    header = sign(who, SECRET)
    assert verify(header, ("next", SECRET)) == who
    with pytest.raises(Unauthenticated):
        verify("x" + header, (SECRET,))
    later = time.time() + LIFETIME_SECONDS + 1
    monkeypatch.setattr("time.time", lambda: later)
    with pytest.raises(Unauthenticated):
        verify(header, (SECRET,))


def test_a_scope_is_required():
    with pytest.raises(Forbidden):
        Caller(principal="usr_1", name="ada").require("users:admin")


@pytest.mark.parametrize("odd", ["two", "none", "plain"])
def test_methods_that_are_no_operations_are_refused(odd):
    class Two(Protocol):
        async def call(self, a: Say, b: Say) -> Said: ...

    class Plain(Protocol):
        def call(self, a: Say) -> Said: ...

    class Bare(Protocol):
        async def call(self, a: int) -> Said: ...

    with pytest.raises(TypeError):
        operations({"two": Two, "none": Bare, "plain": Plain}[odd])


def test_a_problem_of_an_unknown_kind_is_what_it_was():
    told = {
        "type": "urn:muniment:problem:moon-full",
        "title": "Moon full",
        "status": 422,
        "detail": "wait",
        "phase": 4,
    }
    problem = Problem.load(json.dumps(told))
    assert problem.document() == told
    assert problem.status == 422
    assert Problem.load(json.dumps(told | {"status": "odd"})).status == 500


def test_two_problems_cannot_share_a_name():
    with pytest.raises(TypeError):
        type("EchoTired", (Problem,), {}, status=400)

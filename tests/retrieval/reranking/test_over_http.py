"""The HTTP reranker against a real server of each protocol, well and unwell."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from muniment.retrieval.reranking.over_http import HttpReranker
from muniment.retrieval.reranking.reranker import RerankerDown, Style

PASSAGES = ("a cat", "how leases are renewed", "a dog")
KEY = "sk-rerank"
ROUTES: dict[Style, str] = {"cohere": "/v2/rerank", "jina": "/v1/rerank", "vllm": "/rerank", "tei": "/rerank"}
Answer = Callable[[web.Request], Any]


class Server:
    """A rerank service: by default it counts the query's words in each passage, best first."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []
        self.answer: Answer | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((request.path, body, request.headers.get("Authorization")))
        if self.answer is not None:
            reply = self.answer(request)
            return await reply if asyncio.iscoroutine(reply) else reply
        tei = "texts" in body
        words = set(body["query"].split())
        scored = [
            {"index": i, "score" if tei else "relevance_score": len(words & set(text.split())) / 10}
            for i, text in enumerate(body["texts" if tei else "documents"])
        ]
        scored.sort(key=lambda row: -float(row["score" if tei else "relevance_score"]))
        return web.json_response(scored if tei else {"id": "x", "results": scored, "meta": {}})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def scores(url: str, style: Style = "cohere", seconds: float = 20) -> list[float]:
    reranker = HttpReranker(url=url, style=style, model="m-1", key=SecretStr(KEY), seconds=seconds, candidates=100)
    try:
        return await reranker.rerank("how are leases renewed", PASSAGES)
    finally:
        await reranker.close()


@pytest.mark.parametrize("style", ROUTES)
async def test_each_protocol_is_spoken(server: Server, style: Style) -> None:
    assert await scores(server.url + "/", style) == [0, 0.4, 0]
    ((path, body, key),) = server.asked
    assert (path, key) == (ROUTES[style], f"Bearer {KEY}")
    if style == "tei":
        assert body == {"query": "how are leases renewed", "texts": list(PASSAGES), "truncate": True}
    else:
        assert (body["model"], body["documents"], body["top_n"]) == ("m-1", list(PASSAGES), len(PASSAGES))


async def test_the_very_address_may_be_given(server: Server) -> None:
    await scores(f"{server.url}/openai/v1/rerank", "cohere")
    assert server.asked[0][0] == "/openai/v1/rerank"


def rows(*pairs: tuple[Any, Any]) -> Answer:
    text = json.dumps({"results": [{"index": i, "relevance_score": s} for i, s in pairs]})
    return lambda _: web.Response(text=text, content_type="application/json")


def text(body: str) -> Answer:
    return lambda _: web.Response(text=body)


HOSTILE: dict[str, Answer] = {
    "an index is missing": rows((0, 0.1), (2, 0.3)),
    "an index twice": rows((0, 0.1), (1, 0.2), (1, 0.3)),
    "an index too many": rows((0, 0.1), (1, 0.2), (2, 0.3), (3, 0.4)),
    "an index below": rows((0, 0.1), (1, 0.2), (-1, 0.3)),
    "an index that is no number": rows((0, 0.1), (1, 0.2), ("2", 0.3)),
    "an index that is true": rows((0, 0.1), (True, 0.2), (2, 0.3)),
    "nothing": rows(),
    "NaN": rows((0, float("nan")), (1, 0.2), (2, 0.3)),
    "infinity": rows((0, float("inf")), (1, 0.2), (2, 0.3)),
    "a huge number": text('{"results": [{"index": 0, "relevance_score": 1%s}]}' % ("0" * 400)),
    "a word for a score": rows((0, "0.1"), (1, 0.2), (2, 0.3)),
    "no JSON": text("<html>"),
    "another form": text("[]"),
    "a list of numbers": text('{"results": [1, 2, 3]}'),
    "null": text("null"),
    "nested": text("[" * 200_000),
    "not text": lambda _: web.Response(body=b"\xff\xfe\x00"),
    "a refusal": lambda _: web.Response(status=401),
    "trouble": lambda _: web.Response(status=503),
    "no content": lambda _: web.Response(status=204),
    "elsewhere": lambda _: web.Response(status=307, headers={"Location": "/v2/other"}),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_is_no_answer_is_a_problem(server: Server, case: str) -> None:
    server.answer = HOSTILE[case]
    with pytest.raises(RerankerDown) as down:
        await scores(server.url)
    assert down.value.retryable
    assert KEY not in down.value.detail
    assert len(server.asked) == 1, "a redirect would carry the passages elsewhere"


async def test_an_answer_without_end_is_given_up(server: Server) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        try:
            while True:
                await reply.write(b" " * (1 << 20))
        except ConnectionError:
            return reply

    server.answer = endless
    with pytest.raises(RerankerDown, match="no end"):
        await scores(server.url)


async def test_a_service_that_is_silent_or_gone_is_not_waited_for(server: Server) -> None:
    hold = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.Response()

    server.answer = silent
    with pytest.raises(RerankerDown, match="does not answer"):
        await scores(server.url, seconds=0.2)
    hold.set()
    with pytest.raises(RerankerDown, match="does not answer"):
        await scores("http://127.0.0.1:1")

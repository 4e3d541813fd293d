"""A vector for every text without a model, and a server that says what a test tells it to."""

import asyncio
import json
import zlib
from contextlib import asynccontextmanager, suppress

import numpy as np
import pytest
from aiohttp import web

from muniment.embedding.contract import Embedded
from muniment.generation.contract import Source
from muniment.generation.openai import OpenAiModel
from muniment.generation.service import Configured, PassageWriter
from muniment.kernel.problems import Unavailable
from muniment.text.terms import terms


class WordVectors:
    """Embedding: near is what shares words."""

    def __init__(self):
        self.down = False
        self.texts = 0

    async def embed_queries(self, request):
        if self.down:
            raise Unavailable("embedding is down")
        self.texts += len(request.texts)
        rows = np.full((len(request.texts), 256), 0.01, np.float32)
        for row, text in zip(rows, request.texts, strict=True):
            for term in terms(text):
                row[zlib.crc32(term.encode()) % 256] += 1
        return Embedded(vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True), tokens=0)


class Server:
    """Speaks the protocol, or fails at it, as `reply` says; `asked` holds what came."""

    def __init__(self):
        self.asked, self.headers, self.reply, self.url = [], [], self.words("Hello."), ""
        self.gone = asyncio.Event()

    def words(self, *pieces, end=True):
        async def reply(response):
            for piece in pieces:
                chunk = {"choices": [{"delta": {"content": piece}, "finish_reason": None}]}
                await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            if end:
                await response.write(b"data: [DONE]\n\n")

        return reply

    def raw(self, *lines):
        async def reply(response):
            for line in lines:
                await response.write(line)

        return reply

    async def drip(self, response):
        while not self.gone.is_set():
            await self.words("word ", end=False)(response)
            await asyncio.sleep(0.05)

    async def silent(self, _):
        await self.gone.wait()

    async def handle(self, request):
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        if isinstance(self.reply, int):
            return web.Response(status=self.reply, text="no")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        # The client may be gone by then: that is what some tests are about.
        with suppress(ConnectionError):
            await self.reply(response)
        return response


@pytest.fixture
async def server():
    served = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield served
    served.gone.set()
    await runner.cleanup()


@asynccontextmanager
async def writer_at(url, embedding, **changes):
    options = {
        "model": "m", "api_key": "sk-test", "connect_seconds": 5, "first_seconds": 10, "idle_seconds": 10,
        "most_tokens": 64, "temperature": 0, "rest_seconds": 60, **changes,
    }  # fmt: skip
    rest_seconds = options.pop("rest_seconds")
    outside = OpenAiModel(url=url, **options)
    try:
        configured = Configured(outside, "openai", rest_seconds, options["first_seconds"], 4000)
        yield PassageWriter(embedding, [configured], auto=outside.name)
    finally:
        await outside.close()


@pytest.fixture
def embedding():
    return WordVectors()


@pytest.fixture
def leases():
    return (
        Source(
            title="Vault",
            section=("Leases",),
            text="Leases are renewed by the vault every 10 seconds. This keeps them alive.\n\nA lease that is not "
            "renewed for 30 seconds expires.\n\n# Backups\n\nThe vault is backed up at night.",
        ),
        Source(title="Kitchen", section=(), text="Lunch is served at noon in the kitchen. It is free."),
    )

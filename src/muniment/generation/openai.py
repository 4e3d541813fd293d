"""The adapter to an outside system: servers with OpenAI's chat completions (vLLM, Ollama, llama.cpp).

It holds the only HTTP client of this room; a system that is not ours speaks HTTP, not our contracts.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from muniment.generation.contract import LlmDown
from muniment.generation.prompt import Message

_MOST_LINE_BYTES = 1 << 20


class OpenAiModel:
    """One model of one server."""

    def __init__(
        self,
        *,
        url: str,
        model: str,
        api_key: str | None,
        connect_seconds: float,
        first_seconds: float,
        idle_seconds: float,
        most_tokens: int,
        temperature: float,
    ) -> None:
        self.name = model
        self._url = url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connect_seconds, self._first_seconds, self._idle_seconds = (
            connect_seconds,
            first_seconds,
            idle_seconds,
        )
        self._options = {"max_tokens": most_tokens, "temperature": temperature, "stream": True}
        self._session: aiohttp.ClientSession | None = None

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """The model's text as it comes.

        Raises LlmDown when the server does not answer in time, refuses, breaks off, or answers nonsense.
        """
        body = {"model": self.name, "messages": list(messages), **self._options}
        try:
            async with self._open().post(self._url, json=body, headers=self._headers) as reply:
                if reply.status != 200:  # noqa: PLR2004 - the one status that means text
                    raise LlmDown(f"the language model's server answers {reply.status}", model=self.name)
                async with aclosing(self._events(reply.content)) as events:
                    async for text in events:
                        yield text
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, ConnectionError) as failed:
            reason = str(failed) or type(failed).__name__
            raise LlmDown(f"the language model's server does not answer: {reason}", model=self.name) from failed

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_seconds, sock_read=self._first_seconds
            )
            self._session = aiohttp.ClientSession(timeout=timeout, read_bufsize=_MOST_LINE_BYTES)
        return self._session

    async def _events(self, content: aiohttp.StreamReader) -> AsyncGenerator[str, None]:
        patience, ended = self._first_seconds, False
        while not ended:
            # Only the read is bounded: a deadline around a yield would leak into whoever reads.
            try:
                async with asyncio.timeout(patience):
                    line = await content.readline()
            except (ValueError, HttpProcessingError) as endless:
                raise LlmDown("the language model's server sends a line without end", model=self.name) from endless
            if not line:
                raise LlmDown("the language model's server broke off in mid-answer", model=self.name)
            if not line.startswith(b"data:"):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            text, ended = self._delta(data)
            if text:
                patience = self._idle_seconds
                yield text

    def _delta(self, data: bytes) -> tuple[str, bool]:
        """The new text of one event, and whether it is the last."""
        try:
            event = json.loads(data)
            if "error" in event:
                raise LlmDown("the language model's server reports an error", model=self.name)
            if not event["choices"]:
                return "", False
            choice = event["choices"][0]
            text, reason = choice.get("delta", {}).get("content") or "", choice.get("finish_reason")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as nonsense:
            raise LlmDown("the language model's server answers nonsense", model=self.name) from nonsense
        if not isinstance(text, str):
            raise LlmDown("the language model's server answers nonsense", model=self.name)
        return text, reason is not None

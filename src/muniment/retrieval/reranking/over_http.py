"""The adapter to rerank services: Cohere, Jina, vLLM and their like, and text-embeddings-inference."""

import json
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import SecretStr

from muniment.retrieval.reranking.reranker import RerankerDown, Style

_PATHS: dict[Style, str] = {"cohere": "/v2/rerank", "jina": "/v1/rerank", "vllm": "/rerank", "tei": "/rerank"}
_MOST_ANSWER_BYTES = 4 << 20
_PIECE_BYTES = 1 << 16
_MOST_SCORE = 1e300


class HttpReranker:
    """One model of one service. `url` is the service's, or the very address that ends in `rerank`."""

    def __init__(
        self,
        *,
        url: str,
        style: Style,
        model: str | None,
        key: SecretStr | None,
        seconds: float,
        candidates: int,
    ) -> None:
        self.name, self.candidates = model or style, candidates
        self._model, self._style = model, style
        plain = url.rstrip("/")
        self._url = plain if plain.endswith("/rerank") else plain + _PATHS[style]
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """As the service judges.

        Raises RerankerDown when it does not answer in time, refuses, or answers nonsense.
        """
        try:
            async with self._open().post(
                self._url, json=self._body(query, passages), headers=self._headers, allow_redirects=False
            ) as reply:
                if reply.status != 200:  # noqa: PLR2004 - the one status that brings scores
                    raise RerankerDown(f"the rerank service answers {reply.status}", model=self.name)
                raw = bytearray()
                async for piece in reply.content.iter_chunked(_PIECE_BYTES):
                    raw += piece
                    if len(raw) > _MOST_ANSWER_BYTES:
                        raise RerankerDown("the rerank service's answer has no end", model=self.name)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, ConnectionError) as failed:
            reason = str(failed) or type(failed).__name__
            raise RerankerDown(f"the rerank service does not answer: {reason[:300]}", model=self.name) from failed
        return _scores(bytes(raw), self._style, len(passages))

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._seconds))
        return self._session

    def _body(self, query: str, passages: Sequence[str]) -> dict[str, Any]:
        if self._style == "tei":
            return {"query": query, "texts": list(passages), "truncate": True}
        body = {"query": query, "documents": list(passages), "top_n": len(passages)}
        if self._style == "jina":
            body["return_documents"] = False
        return body if self._model is None else body | {"model": self._model}


def _scores(raw: bytes, style: Style, wanted: int) -> list[float]:
    """Each passage's score, by the index that the service names.

    Raises RerankerDown when an index is missing, named twice or strange, or a score is none.
    """
    try:
        told = json.loads(raw)
        rows = [
            (row["index"], row["score" if style == "tei" else "relevance_score"])
            for row in (told if style == "tei" else told["results"])
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as nonsense:
        raise RerankerDown("the rerank service answers nonsense") from nonsense
    found: dict[int, float] = {}
    for index, score in rows:
        if type(index) is not int or not 0 <= index < wanted or index in found:
            raise RerankerDown(f"the rerank service names a passage {str(index)[:20]!r} of {wanted}")
        # JSON's whole numbers may be longer than any float.
        if type(score) not in (int, float) or not abs(score) <= _MOST_SCORE:
            raise RerankerDown("the rerank service gives a score that is no number")
        found[index] = float(score)
    if len(found) != wanted:
        raise RerankerDown(f"the rerank service judged {len(found)} of {wanted} passages")
    return [found[index] for index in range(wanted)]

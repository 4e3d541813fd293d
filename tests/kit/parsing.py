"""Parsing in this process: the same code as the child's, for tests of what comes after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.parsing.model import Chunked, Parsed, ParserSettings
from muniment.documents.parsing.parse import parse


class ParsersHere:
    """Does what `Parsers` does, at once."""

    def __init__(self, most_characters: int) -> None:
        self._most_characters = most_characters

    async def parse(self, path: Path, *, name: str | None, media_type: str | None) -> Parsed:
        data = await asyncio.to_thread(path.read_bytes)
        return parse(data, name=name, media_type=media_type, most_characters=self._most_characters)

    async def chunk(self, parsed: Parsed, *, title: str, tokenizer: Path, max_tokens: int) -> Chunked:
        words = Tokenizer.from_file(str(tokenizer))
        return chunk(parsed, title=title, tokenizer=words, max_tokens=max_tokens)


@asynccontextmanager
async def parsers_here(settings: ParserSettings) -> AsyncIterator[ParsersHere]:
    yield ParsersHere(settings.parser_text_characters)

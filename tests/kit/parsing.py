"""Parsing in this process: the same code as the child's, for tests of what comes after it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import RECIPE, recipe_named
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.model import Boxes, Chunked, Drawn, Limits, Parsed, Picture
from muniment.documents.parsing.paged.place import boxes
from muniment.documents.parsing.paged.render import picture
from muniment.documents.parsing.parse import parse
from muniment.documents.parsing.source import Source


class ParsersHere:
    """Does what `Parsers` does, at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def parse(self, path: Path, *, name: str | None, media_type: str | None) -> Parsed:
        source = Source(path, name=name, media_type=media_type, limits=self._limits)
        return await asyncio.to_thread(parse, source)

    async def chunk(
        self, parsed: Parsed, *, title: str, tokenizer: Path, max_tokens: int, recipe: str = RECIPE.name
    ) -> Chunked:
        words = _tokenizer(tokenizer)
        return chunk(parsed, title=title, tokenizer=words, max_tokens=max_tokens, recipe=recipe_named(recipe))

    async def rectangles(self, path: Path, drawn: Sequence[Drawn]) -> Boxes:
        return await asyncio.to_thread(boxes, path, tuple(drawn))

    async def page(
        self, path: Path, *, name: str | None, media_type: str | None, number: int, width: int
    ) -> Picture:
        source = Source(path, name=name, media_type=media_type, limits=self._limits)
        return await asyncio.to_thread(picture, source, number, width)


@lru_cache(maxsize=4)
def _tokenizer(path: Path) -> Tokenizer:
    words: Tokenizer = Tokenizer.from_file(str(path))
    words.no_truncation()
    words.no_padding()
    return words


@asynccontextmanager
async def parsers_here(settings: ParserSettings) -> AsyncIterator[ParsersHere]:
    yield ParsersHere(settings.limits)


def parsed(data: bytes, *, name: str | None, media_type: str | None = None, **limits: int) -> Parsed:
    """A file of these bytes, parsed; the settings' limits but for those given."""
    bounds = ParserSettings().limits.model_copy(update=limits)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        return parse(Source(path, name=name, media_type=media_type, limits=bounds))

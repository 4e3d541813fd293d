"""A tokenizer that takes nearly every character for a token of its own: the hardest one to keep a limit with."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from kit.office import Office
from kit.parsing import parsers_here
from kit.postgresql import drop_databases, empty_databases

SENTENCE = "the probe reads temperature of load and warns driver when it is too warm for goods in truck"
WORDS = SENTENCE.split()


def word_tokenizer() -> Tokenizer:
    letters = [chr(c) for c in range(33, 127)] + list("éüßñ語温度荷物яшж")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters), *WORDS]
    tokenizer = Tokenizer(
        WordPiece(
            {name: i for i, name in enumerate(dict.fromkeys(names))},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return word_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_file(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def postgresql_prefix(postgresql_server: str) -> Iterator[str]:
    prefix = f"test_{uuid4().hex[:12]}"
    yield prefix
    asyncio.run(drop_databases(postgresql_server, prefix))


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_prefix: str) -> Iterator[str]:
    """The same database each time, emptied: to make one takes longer than most tests of it."""
    yield f"{postgresql_server}&prefix={postgresql_prefix}"
    asyncio.run(empty_databases(postgresql_server, postgresql_prefix))


@pytest.fixture(autouse=True)
def parsing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child to wait for: half a second for each room."""
    monkeypatch.setattr("muniment.documents.build.parsers", parsers_here)


@pytest.fixture
async def office(tmp_path: Path, database_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """A room at work on each kind of database."""
    office = Office.staffed(tmp_path, database_url, tokenizer_file)
    async with office.opened():
        yield office


@pytest.fixture
async def sqlite_office(tmp_path: Path, sqlite_url: str, tokenizer_file: Path) -> AsyncIterator[Office]:
    """The same for what does not depend on the database."""
    office = Office.staffed(tmp_path, sqlite_url, tokenizer_file)
    async with office.opened(max_file_bytes=2_000_000):
        yield office


@pytest.fixture
def closed_office(tmp_path: Path, database_url: str, tokenizer_file: Path) -> Office:
    """The same, to be opened and closed by the test."""
    return Office.staffed(tmp_path, database_url, tokenizer_file)

"""Tables, keys and fields; and what a page of hits and an ingestion cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from kit.migrations import assert_migrations_match
from kit.office import Office, text_document
from muniment.documents import store
from muniment.documents.fields import Layer, effective, filterable, metadata_names
from muniment.documents.keys import key_of
from muniment.kernel.problems import Invalid

WORDS = "The vault renews each lease every ten seconds, and says so in its log. "


@contextmanager
def statements() -> Iterator[list[str]]:
    """All that is said to any database meanwhile."""
    heard: list[str] = []

    def hear(*said: object) -> None:
        heard.append(str(said[2]))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


async def test_migrations_make_the_tables(database_url: str) -> None:
    await assert_migrations_match(store.metadata, store.MIGRATIONS, database_url)


async def test_a_page_of_hits_is_one_statement(sqlite_office: Office) -> None:
    documents = (text_document(f"{n}.md", f"# Title {n}\n\n{WORDS * 40}") for n in range(3))
    uploaded = await sqlite_office.upload("ada", *documents)
    await sqlite_office.over("ada", uploaded.run)
    chunks = sqlite_office.all_chunks()
    with statements() as heard:
        assert len(await sqlite_office.hydrated("ben", chunks)) == len(chunks)
    (only,) = (sql for sql in heard if "parents" in sql)
    assert "JOIN documents" in only


async def test_a_small_document_is_ingested_in_two_transactions(sqlite_office: Office) -> None:
    with statements() as heard:
        await sqlite_office.put("ada", "a.md", WORDS)
    states = [sql for sql in heard if sql.startswith("UPDATE versions SET state")]
    assert len(states) == 2  # chunked, current


@given(st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "a", "b c", "\\", "C:", ""])).map("/".join))
def test_a_file_name_gives_a_path_that_stays_inside_or_none(name: str) -> None:
    try:
        key = key_of(None, name)
    except Invalid:
        return
    assert key
    assert not {"", ".", ".."} & set(key.split("/"))
    assert not any(ord(character) < 32 or character == "\\" for character in key)
    assert key_of(key, None) == key


@pytest.mark.parametrize("key", ["", "  ", "/a", "\\a", "a/../b", "..", "C:\\a", "a\x00b", "a\u202eb", "x" * 1025])
def test_a_key_that_leads_astray_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="key"):
        key_of(key, "good.md")


@pytest.mark.parametrize("key", ["https://wiki/page?id=1", "KEP: 12", "a..b/c...d", "путь/файл.md", "~/x"])
def test_an_external_id_is_a_key(key: str) -> None:
    assert key_of(key, None) == key


def test_options_go_before_what_the_file_says_and_changes_before_both() -> None:
    said = Layer(fields={"title": "File", "author": "f", "tags": ["f"]}, metadata={"a": 1, "b": 1})
    options = Layer(fields={"title": "Option", "author": "o"}, metadata={"b": 2, "c": {"d": [2, None, "x"]}})
    patched = Layer(fields={"title": None, "tags": None}, metadata={"a": None})
    seen = effective("ops/key.md", said=said, options=options, patched=patched)
    assert (seen.title, seen.fields["author"], "tags" in seen.fields) == ("Option", "o", False)
    assert seen.metadata == {"b": 2, "c": {"d": [2, None, "x"]}}
    assert effective("ops/key.md", said=Layer(), options=Layer(), patched=Layer()).title == "key.md"
    payload = filterable(seen, whole=True)
    assert (payload["metadata.b"], payload["metadata.c.d"], payload["tags"]) == (2, (2, "x"), ())
    assert payload["type"] == "Other"


def test_long_lists_do_not_stand_in_every_point() -> None:
    metadata = {"links": ["https://a.b/c"], "references": ["<1@a>"], "to": ["a@b.c"], "ids": list(range(300))}
    seen = effective("mail.eml", said=Layer(metadata=metadata), options=Layer(), patched=Layer())
    payload = filterable(seen, whole=False)
    assert payload["metadata.to"] == ("a@b.c",)
    assert payload["metadata.ids"] == tuple(range(50))
    assert metadata_names(seen) == {"metadata.to", "metadata.ids"}
    assert not {"metadata.links", "metadata.references"} & payload.keys()

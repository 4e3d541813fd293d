import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import HEADER_BYTES, embedded_text, short_header
from muniment.documents.parsing.model import Chunk, Parsed
from muniment.documents.parsing.structure import Growing, sections
from muniment.documents.parsing.tables import BAR, add_table, row
from muniment.documents.pieces import pieces_of

HEADER = ["probe", "truck", "degrees"]


def table(rows: list[list[str]], *, before: str = "", after: str = "") -> Parsed:
    growing = Growing(1_000_000)
    growing.add("paragraph", before)
    add_table(growing, rows, 1)
    growing.add("paragraph", after)
    return Parsed(
        text=growing.text,
        media_type="text/csv",
        sections=sections(growing.headings, growing.length),
        blocks=tuple(growing.blocks),
    )


def chunks(parsed: Parsed, tokenizer: Tokenizer, most: int = 256) -> list[tuple[Chunk, str]]:
    chunked = chunk(parsed, title="Loads", tokenizer=tokenizer, max_tokens=most)
    return [(piece, parsed.text[piece.start : piece.end]) for piece in chunked.chunks]


def test_every_chunk_of_a_table_carries_its_header(tokenizer: Tokenizer) -> None:
    rows = [[f"the probe {number}", f"the truck {number}", f"{number}.5"] for number in range(120)]
    found = chunks(table([HEADER, *rows]), tokenizer)
    assert len(found) > 5
    assert found[0][0].header == ""
    assert found[0][1].startswith("probe | truck | degrees\n")
    assert {piece.header for piece, _ in found[1:]} == {"probe | truck | degrees"}
    lines = [line for _, said in found for line in said.split("\n")]
    assert lines == [row(cells) for cells in [HEADER, *rows]]


def test_what_stands_around_a_table_carries_no_header(tokenizer: Tokenizer) -> None:
    words = "The driver warns the probe. " * 60
    rows = [[f"the probe {number}", "the truck", "1"] for number in range(60)]
    found = chunks(table([HEADER, *rows], before=words, after=words), tokenizer)
    assert {piece.header for piece, said in found if "|" not in said} == {""}
    assert {piece.header for piece, said in found if said.startswith("the probe")} == {"probe | truck | degrees"}


def test_a_row_is_cut_only_when_it_is_larger_than_a_chunk(tokenizer: Tokenizer) -> None:
    long = [["the probe " * 60, "the truck", "1"], ["the probe " * 300, "the truck", "2"], ["a", "b", "3"]]
    found = [said for _, said in chunks(table([HEADER, *long]), tokenizer)]
    assert any(said.endswith("| the truck | 1") and said.count("probe") >= 60 for said in found)
    assert sum("probe" in said for said in found) > 3


def test_a_very_wide_header_is_shortened_between_columns() -> None:
    wide = BAR.join(f"column {number}" for number in range(400))
    short = short_header(wide)
    assert wide.startswith(short)
    assert short.endswith(tuple("0123456789"))
    assert len(short.encode()) <= HEADER_BYTES
    assert len(short_header("温度" * 500).encode()) <= HEADER_BYTES
    assert short_header("a | b\nc | d") == "a | b\nc | d"


def test_the_header_is_part_of_what_is_embedded_and_of_its_hash(tokenizer: Tokenizer) -> None:
    rows = [[f"the probe {number}", "the truck", "1"] for number in range(60)]
    first = table([HEADER, *rows])
    other = table([["probe", "truck", "weights"], *rows])
    hashes = []
    for parsed in (first, other):
        chunked = chunk(parsed, title="Loads", tokenizer=tokenizer, max_tokens=256)
        hashes.append([piece.hash for piece in pieces_of(chunked.chunks, title="Loads", text=parsed.text)])
    assert not set(hashes[0]) & set(hashes[1])
    assert embedded_text("Loads", (), "1 | 2", "a | b") == "Loads\na | b\n1 | 2"
    assert embedded_text("", (), "1 | 2") == "1 | 2"


CELLS = st.one_of(
    st.sampled_from(["", "the probe", "truck " * 20, "12.5", "very " * 90, "温度を測る。", "x" * 300]),
    st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12),
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=6), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, most=st.sampled_from([128, 256]), before=st.sampled_from(["", "The driver is warm. " * 20]))
def test_no_row_is_lost_and_no_header_stands_in_a_span(
    tokenizer: Tokenizer, rows: list[list[str]], most: int, before: str
) -> None:
    parsed = table(rows, before=before)
    found = chunks(parsed, tokenizer, most)
    done = 0
    for piece, said in found:
        assert not parsed.text[done : piece.start].strip()
        done = piece.end
        tokens = tokenizer.encode(embedded_text("Loads", piece.section, said, piece.header)).ids
        assert len(tokens) <= most
        if piece.header:
            header = next(block.header for block in parsed.blocks if block.header is not None)
            assert piece.start > header.start
    assert not parsed.text[done:].strip()


@pytest.mark.parametrize("kind", ["paragraph", "list", "code"])
def test_only_tables_carry_headers(tokenizer: Tokenizer, kind: str) -> None:
    growing = Growing(1_000_000)
    growing.add("code" if kind == "code" else "paragraph", "the probe warns\n" * 300)
    parsed = Parsed(text=growing.text, media_type="text/plain", blocks=tuple(growing.blocks))
    assert {piece.header for piece, _ in chunks(parsed, tokenizer)} == {""}

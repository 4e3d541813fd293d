import time

import pytest
from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.contract import PageSpan
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.parsing.texts.markdown import parse_markdown
from muniment.documents.parsing.texts.plain import parse_plain

SENTENCE = "The probe reads the temperature of the load and warns the driver when it is too warm for the goods."


def chunks_of(tokenizer: Tokenizer, source: str) -> tuple[Parsed, Chunked, list[str]]:
    parsed = parse_markdown(source)
    chunked = chunk(parsed, title="Manual", tokenizer=tokenizer, max_tokens=256)
    return parsed, chunked, [parsed.text[c.start : c.end] for c in chunked.chunks]


def test_a_short_text_is_one_chunk_under_one_parent(tokenizer: Tokenizer) -> None:
    parsed, chunked, texts = chunks_of(tokenizer, "# Manual\n\n" + SENTENCE)
    assert texts == [parsed.text]
    assert chunked.chunks[0].section == ("Manual",)
    assert len(chunked.parents) == 1


def test_chunks_end_where_sentences_do_and_are_of_like_size(tokenizer: Tokenizer) -> None:
    _, chunked, texts = chunks_of(tokenizer, " ".join([SENTENCE] * 60))
    sizes = [len(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts]
    assert all(t.endswith(".") for t in texts)
    assert max(sizes) <= 225
    assert min(sizes) >= 150
    parents = [sum(c.parent == p.index for c in chunked.chunks) for p in chunked.parents]
    assert max(parents) <= 5
    assert len(parents) >= 2


def test_sections_are_not_mixed_and_headings_go_with_what_follows(tokenizer: Tokenizer) -> None:
    body = " ".join([SENTENCE] * 3)
    _, chunked, texts = chunks_of(tokenizer, f"# Manual\n\n## Care\n\n{body}\n\n## Repair\n\n{body}\n\n# End\n")
    assert [c.section for c in chunked.chunks] == [("Manual", "Care"), ("Manual", "Repair"), ("End",)]
    assert texts[0].startswith("# Manual\n\n## Care")
    assert texts[1].startswith("## Repair")
    assert [c.kind for c in chunked.chunks] == ["body", "body", "header"]


def test_a_long_table_keeps_its_rows(tokenizer: Tokenizer) -> None:
    rows = "".join(f"| the probe {i} | the truck | {i}.5 |\n" for i in range(80))
    _, chunked, texts = chunks_of(tokenizer, f"# T\n\n| a | b | c |\n|---|---|---|\n{rows}")
    assert len(texts) > 3
    assert all(line.startswith("|") and line.endswith("|") for t in texts[1:] for line in t.split("\n"))
    assert {c.kind for c in chunked.chunks} == {"table"}


def test_lists_and_code_are_cut_between_items_and_lines(tokenizer: Tokenizer) -> None:
    items = "".join(f"- {SENTENCE}\n" for _ in range(30))
    code = "```\n" + "".join(f"warns(driver, {i})\n" for i in range(90)) + "```\n"
    _, chunked, texts = chunks_of(tokenizer, f"## L\n\n{items}\n## C\n\n{code}")
    assert {c.kind for c in chunked.chunks} == {"list", "code"}
    assert all(
        t.startswith(("- ", "## L")) for t, c in zip(texts, chunked.chunks, strict=True) if c.kind == "list"
    )
    assert all(t.endswith((")", "```")) for t, c in zip(texts, chunked.chunks, strict=True) if c.kind == "code")


def test_no_word_is_cut_where_there_is_a_space(tokenizer: Tokenizer) -> None:
    _, _, texts = chunks_of(tokenizer, "temperature " * 900)
    assert {word for t in texts for word in t.split()} == {"temperature"}


def test_a_last_crumb_stays_with_its_chunk(tokenizer: Tokenizer) -> None:
    _, _, texts = chunks_of(tokenizer, " ".join([SENTENCE] * 10) + " Too warm.")
    assert len(texts) == 1


def test_a_chunk_knows_its_page(tokenizer: Tokenizer) -> None:
    half = " ".join([SENTENCE] * 8)
    text = f"{half}\n\n{half}"
    pages = (PageSpan(number=3, start=0, end=len(half)), PageSpan(number=4, start=len(half) + 2, end=len(text)))
    parsed = parse_plain(text).model_copy(update={"pages": pages})
    chunked = chunk(parsed, title="", tokenizer=tokenizer, max_tokens=256)
    assert [c.page for c in chunked.chunks] == [3, 4]


def test_what_is_embedded_names_title_and_last_two_headings() -> None:
    assert embedded_text("Manual", ("Manual", "Care", "Battery"), "Text.") == "Manual > Care > Battery\nText."
    assert embedded_text("Manual", ("Manual",), "Text.") == "Manual\nText."
    assert embedded_text("", (), "Text.") == "Text."
    line = embedded_text("word " * 500, ("語" * 500, "x" * 500), "").strip()
    assert len(line.encode()) <= 96 + 2 * 64 + 6


def test_a_model_that_reads_too_little_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="too small"):
        chunk(parse_plain("x"), title="", tokenizer=tokenizer, max_tokens=64)


def test_a_text_without_any_break_takes_linear_time(tokenizer: Tokenizer) -> None:
    for text in ("x" * 300_000, "a " * 150_000, "語" * 100_000, "- a\n" * 40_000):
        start = time.process_time()
        chunked = chunk(parse_plain(text), title="", tokenizer=tokenizer, max_tokens=256)
        assert chunked.chunks[-1].end == len(text.rstrip())
        assert time.process_time() - start < 10

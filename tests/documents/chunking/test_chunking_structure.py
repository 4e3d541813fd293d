import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import (
    PARENT_TOKENS,
    RECIPE,
    RECIPES,
    Recipe,
    embedded_text,
    recipe_named,
)
from muniment.documents.contract import PageSpan
from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.texts.code import parse_code
from muniment.documents.parsing.texts.markdown import parse_markdown
from muniment.documents.parsing.texts.plain import parse_plain
from muniment.kernel.problems import NotAvailable
from muniment.text.sentences import sentences

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
    assert max(sizes) <= RECIPE.target_tokens + 25
    assert min(sizes) >= RECIPE.target_tokens * 0.75
    widths = [p.end - p.start for p in chunked.parents]
    tokens = [
        sum(s for s, c in zip(sizes, chunked.chunks, strict=True) if c.parent == n) for n in range(len(widths))
    ]
    assert max(tokens) <= PARENT_TOKENS
    assert min(tokens[:-1]) >= PARENT_TOKENS / 2


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_an_index_keeps_the_chunks_of_its_recipe(tokenizer: Tokenizer, recipe: Recipe) -> None:
    text = " ".join([SENTENCE] * 60)
    chunked = chunk(parse_plain(text), title="", tokenizer=tokenizer, max_tokens=256, recipe=recipe)
    sizes = [len(tokenizer.encode(text[c.start : c.end], add_special_tokens=False).ids) for c in chunked.chunks]
    assert recipe.target_tokens * 0.75 <= min(sizes)
    assert max(sizes) <= recipe.target_tokens + 25
    assert recipe_named(recipe.name) is recipe


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(NotAvailable, match=RECIPE.name):
        recipe_named("structure-7")


def test_a_sentence_that_a_model_can_read_is_never_cut(tokenizer: Tokenizer) -> None:
    long = "The probe " + "reads the load and " * 50 + "warns."
    assert RECIPE.target_tokens < len(tokenizer.encode(long).ids) < 230
    _, _, texts = chunks_of(tokenizer, f"{SENTENCE} {long} {SENTENCE}")
    assert any(long in text for text in texts)


def test_a_parent_holds_whole_sentences_even_of_chunks_that_do_not(tokenizer: Tokenizer) -> None:
    long = "The probe " + "reads the load and " * 150 + "warns."
    parsed, chunked, _ = chunks_of(tokenizer, " ".join([*[SENTENCE] * 12, long] * 6))
    ends = {end for _, end in sentences(parsed.text)}
    assert any(c.end not in ends for c in chunked.chunks)
    assert {p.end for p in chunked.parents} <= ends
    assert len(chunked.parents) > 3


def test_a_sentence_without_end_is_parted_all_the_same(tokenizer: Tokenizer) -> None:
    parsed, chunked, _ = chunks_of(tokenizer, "the probe reads " * 3000)
    sizes = [len(tokenizer.encode(parsed.text[p.start : p.end]).ids) for p in chunked.parents]
    assert len(sizes) > 5
    assert max(sizes) <= 2 * PARENT_TOKENS


def test_sections_of_a_few_words_are_joined_under_what_they_share(tokenizer: Tokenizer) -> None:
    names = "".join(f"## Probe {n}\n\nIt is warm.\n\n" for n in range(6))
    _, chunked, texts = chunks_of(tokenizer, f"# Manual\n\n{names}# Care\n\n{SENTENCE}\n")
    assert texts[0].startswith("# Manual")
    assert texts[0].endswith("## Probe 5\n\nIt is warm.")
    assert [c.section for c in chunked.chunks] == [("Manual",), ("Care",)]


def test_a_crumb_stays_alone_where_its_neighbours_are_of_another_chapter(tokenizer: Tokenizer) -> None:
    body = " ".join([SENTENCE] * 3)
    source = f"# One\n\n## A\n\n{body}\n\n# Two\n\n## B\n\nIt is warm.\n\n# Three\n\n## C\n\n{body}\n"
    _, chunked, _ = chunks_of(tokenizer, source)
    assert [c.section for c in chunked.chunks] == [("One", "A"), ("Two", "B"), ("Three", "C")]


def test_code_stands_under_its_symbol(tmp_path: Path, tokenizer: Tokenizer) -> None:
    lines = "".join(f"        warns(driver, {n})\n" for n in range(40))
    one = "def tiny():\n    return 1\n\n\ndef small():\n    return 2\n\n\n"
    source = f"class Probe:\n    def read(self):\n{lines}\n    def stop(self):\n{lines}\n\n{one}"
    file = tmp_path / "probe.py"
    file.write_text(source)
    parsed = parse_code(Source(file, name="probe.py", media_type=None, limits=ParserSettings().limits))
    chunked = chunk(parsed, title="probe.py", tokenizer=tokenizer, max_tokens=256)
    said = {c.section: embedded_text("probe.py", c.section, parsed.text[c.start : c.end]) for c in chunked.chunks}
    assert said["Probe", "read"].startswith("probe.py > Probe > read\n")
    assert said["Probe", "stop"].startswith("probe.py > Probe > stop\n")
    assert "def tiny" in said[()]
    assert "def small" in said[()]


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
    _, _, texts = chunks_of(tokenizer, " ".join([SENTENCE] * 7) + " Too warm.")
    assert len(texts) == 1


def test_a_chunk_knows_its_page(tokenizer: Tokenizer) -> None:
    half = " ".join([SENTENCE] * 6)
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

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import embedded_text
from muniment.documents.parsing.decoding import normal
from muniment.documents.parsing.model import Chunked, Parsed
from muniment.documents.parsing.texts.markdown import parse_markdown
from muniment.documents.parsing.texts.plain import parse_plain

LINES = [
    "# Heading of the load\n\n",
    "### " + "very " * 90 + "long\n\n",
    "## " + "!?" * 200 + "\n\n",
    "The probe reads the temperature. It warns the driver, e.g. when it is too warm.\n",
    "\n\n",
    "- the probe\n- the truck\n  - the driver\n",
    "| probe | load |\n|---|---|\n" + "| the probe | 12.5 |\n" * 30,
    "```\nif it is too warm:\n    warns(driver)\n\n```\n",
    "温度を測る。荷物は暖かい。",
    "a\u0301\u0302 e\u0308" * 40,
    "👩‍👩‍👧‍👦🏽" * 30,
    "\u202eright to left שלום مرحبا\u202c ",
    "x" * 150,
    "word-" * 300,
    "\u2028\u2029\x85\x0b\x0c\xa0\u200b\ufeff",
    "[SEP] [CLS] [UNK] ",
    "﷽ﷺ ½ Ⅷ ",
    " \t",
]
TEXTS = st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=60)), min_size=1, max_size=30).map("".join)


def assert_sound(parsed: Parsed, chunked: Chunked, tokenizer: Tokenizer, title: str, most: int) -> None:
    text, done = parsed.text, 0
    for number, piece in enumerate(chunked.chunks):
        said = text[piece.start : piece.end]
        assert (piece.index, said) == (number, said.strip())
        assert said
        assert piece.start >= done
        assert not text[done : piece.start].strip()
        embedded = embedded_text(title, piece.section, said, piece.header)
        assert len(tokenizer.encode(embedded).ids) <= most
        parent = chunked.parents[piece.parent]
        assert parent.start <= piece.start < piece.end <= parent.end
        done = piece.end
    assert not text[done:].strip()
    assert [p.index for p in chunked.parents] == list(range(len(chunked.parents)))
    assert {c.parent for c in chunked.chunks} == {p.index for p in chunked.parents}
    assert [c.parent for c in chunked.chunks] == sorted(c.parent for c in chunked.chunks)
    for before, after in zip(chunked.parents, chunked.parents[1:], strict=False):
        assert before.end <= after.start


@settings(max_examples=60, deadline=None)
@given(
    text=TEXTS,
    title=st.sampled_from(["Probe manual", "", "!" * 900, "温度" * 200]),
    most=st.sampled_from([128, 256]),
)
def test_spans_are_exact_and_the_limit_is_kept(tokenizer: Tokenizer, text: str, title: str, most: int) -> None:
    for parsed in (parse_markdown(normal(text)), parse_plain(normal(text))):
        chunked = chunk(parsed, title=title, tokenizer=tokenizer, max_tokens=most)
        assert_sound(parsed, chunked, tokenizer, title, most)


@settings(deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=3000))
def test_any_characters_at_all(tokenizer: Tokenizer, text: str) -> None:
    parsed = Parsed(text=text, media_type="text/plain")
    assert_sound(parsed, chunk(parsed, title="t", tokenizer=tokenizer, max_tokens=128), tokenizer, "t", 128)

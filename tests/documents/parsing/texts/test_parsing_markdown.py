import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.documents.contract import Fields
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.texts.markdown import parse_markdown

DOCUMENT = """---
title: "Alert router"
type: tech-spec
authors: [Ada, Ben]
created: 2026-03-01
updated: 2026-03-02 10:00:00
tags: routing, alerts
lang: en-GB
version: "1.2"
Team: {lead: Ada, since: 2020-01-01}
access_level: public
priority: urgent
---

# Alert *router* `v2`

Intro of two
lines.

## Tables

| a | b |
|---|---|
| 1 | 2 |

Setext
------

- one
- two
  - three

```python
# not a heading

code
```
"""


def pieces(parsed: Parsed) -> list[tuple[str, str]]:
    return [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks]


def test_front_matter_is_fields_and_the_rest_metadata() -> None:
    parsed = parse_markdown(DOCUMENT)
    assert parsed.fields == {
        "title": "Alert router",
        "type": "TechSpec",
        "author": "Ada, Ben",
        "created_at": "2026-03-01T00:00:00Z",
        "modified_at": "2026-03-02T10:00:00Z",
        "tags": ["routing", "alerts"],
        "language": "en",
    }
    assert parsed.metadata == {
        "version": "1.2",
        "Team": {"lead": "Ada", "since": "2020-01-01"},
        "access_level": "public",
        "priority": "urgent",
    }
    assert (parsed.title, parsed.language) == ("Alert router", "en")
    Fields.model_validate(parsed.fields)


def test_the_text_is_what_was_written_and_blocks_hang_together() -> None:
    parsed = parse_markdown(DOCUMENT)
    assert parsed.text in DOCUMENT
    assert pieces(parsed) == [
        ("heading", "# Alert *router* `v2`"),
        ("paragraph", "Intro of two\nlines."),
        ("heading", "## Tables"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("heading", "Setext\n------"),
        ("list", "- one\n- two\n  - three"),
        ("code", "```python\n# not a heading\n\ncode\n```"),
    ]


def test_sections_have_plain_paths_and_reach_to_the_next_heading() -> None:
    parsed = parse_markdown(DOCUMENT)
    assert [s.path for s in parsed.sections] == [
        ("Alert router v2",),
        ("Alert router v2", "Tables"),
        ("Alert router v2", "Setext"),
    ]
    assert [s.end for s in parsed.sections] == [*[s.start for s in parsed.sections[1:]], len(parsed.text)]


@pytest.mark.parametrize(
    "front",
    [
        "title: [unclosed",
        "- a list",
        "title: 2026-13-45",
        "a: &a [x]\nb: *a",
        "x: !!python/object/apply:os.system [ls]",
        "[" * 5000,
        "? {}\n: {[]: 1}",
    ],
)
def test_broken_front_matter_is_text(front: str) -> None:
    source = f"---\n{front}\n---\n\nBody.\n"
    parsed = parse_markdown(source)
    assert parsed.text == source
    assert parsed.fields == {}


def test_a_title_comes_from_the_first_heading_of_level_one() -> None:
    assert parse_markdown("# Guide\n\ntext").title == "Guide"
    assert parse_markdown("text\n\n# Guide\n").title is None
    assert parse_markdown("## Guide\n").title is None


def test_a_source_must_be_a_web_address() -> None:
    parsed = parse_markdown("---\nurl: javascript:alert(1)\n---\nx")
    assert parsed.fields == {}
    assert parsed.metadata == {"url": "javascript:alert(1)"}


@given(
    st.lists(
        st.sampled_from(
            ["# ", "- ", "> ", "```\n", "|a|\n|-|\n", "\n\n", "x\n", "===\n", "\t", "é😀", "<b>", "1. "]
        )
    )
)
def test_blocks_are_in_order_and_within_the_text(parts: list[str]) -> None:
    parsed = parse_markdown("".join(parts))
    done = 0
    for block in parsed.blocks:
        assert done <= block.start < block.end <= len(parsed.text)
        done = block.end


def test_a_table_tells_its_header() -> None:
    found = parse_markdown("words\n\n| probe | load |\n|---|---|\n| a | 1 |\n")
    header = found.blocks[1].header
    assert header is not None
    assert found.text[header.start : header.end] == "| probe | load |"

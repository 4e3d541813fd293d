import time

from kit.parsing import parsed
from muniment.documents.parsing.links import MOST_LINKS, addresses
from muniment.documents.parsing.texts.html import read_html
from muniment.documents.parsing.texts.markdown import parse_markdown

MARKDOWN = """# Links

See [one](https://example.org/1 "title"), <https://example.org/2>, https://example.org/3. And
[four][ref], [relative](/x), [mail](mailto:a@example.org), again [one](https://example.org/1),
(https://example.org/w_(x)) and ![picture](https://example.org/p.png).

<a href="https://example.org/5">five</a>

```
https://example.org/in-code
```

[ref]: https://example.org/4
"""


def test_markdown_links_are_absolute_unique_and_in_order() -> None:
    assert parse_markdown(MARKDOWN).metadata == {
        "links": [
            "https://example.org/1",
            "https://example.org/2",
            "https://example.org/3",
            "https://example.org/4",
            "https://example.org/w_(x)",
            "https://example.org/5",
        ]
    }


def test_what_the_front_matter_says_stands() -> None:
    assert parse_markdown("---\nlinks: mine\n---\nhttps://example.org").metadata == {"links": "mine"}


def test_shown_links_of_a_page() -> None:
    page = (
        '<nav><a href="https://example.org/menu">m</a></nav><p><a href=" https://example.org/a ">a</a>'
        '<a href="b.html">b</a></p><ul><li><a href="https://example.org/c?x=1&amp;y=2">c</a></li></ul>'
    )
    assert read_html(page, 1000).metadata == {"links": ["https://example.org/a", "https://example.org/c?x=1&y=2"]}


def test_there_are_not_too_many() -> None:
    text = " ".join(f"https://example.org/{n}" for n in range(MOST_LINKS + 50))
    links = parse_markdown(text).metadata["links"]
    assert isinstance(links, list)
    assert (len(links), links[0]) == (MOST_LINKS, "https://example.org/0")


def test_marks_around_an_address_are_not_of_it() -> None:
    assert list(addresses("(see https://example.org/a), *https://example.org/b* “https://example.org/c?d=e”")) == [
        "https://example.org/a",
        "https://example.org/b",
        "https://example.org/c?d=e",
    ]


def test_a_title_may_stand_below_comments_and_badges() -> None:
    above = (
        "<!-- generated -->\n\n[![build](https://example.org/b.svg)](https://example.org/ci)\n"
        '![logo][logo]\n\n<p align="center"><img src="x.png"></p>\n\n'
    )
    assert parse_markdown(above + "# Guide\n\ntext\n").title == "Guide"
    assert parse_markdown("Some words first.\n\n# Guide\n").title is None


def test_plain_text_has_no_metadata_without_links() -> None:
    assert parsed(b"Just words.", name="a.txt").metadata == {}


def test_the_links_of_a_paragraph_of_a_megabyte() -> None:
    started = time.process_time()
    text = "[the probe](https://example.com/a) reads <https://example.com/b> and " * 20_000
    assert parse_markdown(text).metadata["links"] == ["https://example.com/a", "https://example.com/b"]
    assert len(list(addresses("https://example.com/" + ")" * 100_000))) == 1
    assert time.process_time() - started < 5

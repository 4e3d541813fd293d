import pytest

from kit.parsing import parsed
from muniment.documents.contract import ParserLimit
from muniment.documents.parsing.model import Parsed

DOCUMENT = """.. a comment

============
Großer Titel
============

:Author: Ada
:Date: 2026-01-02
:Ticket: T-7

Intro with *emphasis*, ``code``, `link <https://example.org/a>`_ and :ref:`the label <lab>`, :py:class:`~a.b.C`.

First
-----
.. toctree::
   :maxdepth: 2

   a
   b

- one
- two

  - inner

term
  What it means.

.. note:: Be careful
   here.

.. versionadded:: 1.2
   The new thing.

.. code-block:: python
   :linenos:

   def f():

       pass

Sub
~~~
=====  =====
A      B
=====  =====
1      2
=====  =====

.. include:: /etc/hostname
.. raw:: html

   <b>secret</b>

.. image:: a.png
   :alt: A picture

.. py:function:: foo(a, b)
   :noindex:

   Does *foo*.

Second
------
See x_ and [1]_.

.. [1] A note.
.. _x: https://example.org/x
"""


def read(text: str) -> Parsed:
    return parsed(text.encode(), name="a.rst")


def test_the_text_is_what_the_markup_says() -> None:
    found = read(DOCUMENT)
    assert [(b.kind, found.text[b.start : b.end]) for b in found.blocks] == [
        ("heading", "Großer Titel"),
        ("paragraph", "Intro with emphasis, code, link and the label, a.b.C."),
        ("heading", "First"),
        ("list", "- one\n- two\n  - inner"),
        ("list", "term: What it means."),
        ("paragraph", "Note: Be careful here."),
        ("paragraph", "1.2 The new thing."),
        ("code", "def f():\n\n    pass"),
        ("heading", "Sub"),
        ("table", "A | B\n1 | 2"),
        ("paragraph", "A picture"),
        ("paragraph", "foo(a, b)"),
        ("paragraph", "Does foo."),
        ("heading", "Second"),
        ("paragraph", "See x and 1."),
        ("paragraph", "[1] A note."),
    ]
    assert [s.path for s in found.sections] == [
        ("Großer Titel",),
        ("Großer Titel", "First"),
        ("Großer Titel", "First", "Sub"),
        ("Großer Titel", "Second"),
    ]
    (table,) = (b for b in found.blocks if b.kind == "table")
    assert table.header is not None
    assert found.text[table.header.start : table.header.end] == "A | B"


def test_what_the_field_list_says() -> None:
    found = read(DOCUMENT)
    assert found.title == "Großer Titel"
    assert found.fields == {"author": "Ada", "created_at": "2026-01-02T00:00:00Z", "language": "en"}
    assert found.metadata == {"Ticket": "T-7", "links": ["https://example.org/a", "https://example.org/x"]}


def test_sections_without_a_title_above_them() -> None:
    found = read("A\n=\ntext\n\nB\n=\nmore\n\nC\n-\nand\n")
    assert [s.path for s in found.sections] == [("A",), ("B",), ("B", "C")]


def test_what_is_wrong_is_read_as_it_stands() -> None:
    found = read("Text.\n\n.. figure::\n   :width: nonsense value\n\n   Words kept.\n\n|undefined| *open\n")
    assert "Words kept." in found.text
    assert "open" in found.text


def test_no_file_of_the_machine_is_read(tmp_path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("hush,hush")
    found = read(f"Text.\n\n.. csv-table::\n   :file: {secret}\n\n.. include:: {secret}\n")
    assert "hush" not in found.text


def test_deep_nesting_is_a_limit() -> None:
    with pytest.raises(ParserLimit):
        read("\n".join("  " * n + "- a\n" for n in range(400)))

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.parsing import parsed
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.texts.languages import GRAMMARS, parser

PYTHON = '''"""Doc."""
import os

LIMIT = 1

# Ruft é auf.
@dec
def f(x):  # says why
    def inner(): pass
    return 1


class A(B):
    """About Á."""

    # before
    def m(self): return 2

    async def n(self):
        pass

z = 3
'''
DEFINITIONS: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "a.js": ("const g = () => { return 1 };\nclass C { m() { return 2 } }\nexports.h = function () {};\n",
             [("g",), ("C",), ("C", "m"), ("exports.h",)]),
    "a.ts": ("/** D */\nexport class Foo<T> {\n  @Dec() bar(): void {}\n}\ninterface I { a: string }\n",
             [("Foo",), ("Foo", "bar"), ("I",)]),
    "a.tsx": ("export const App = () => <p>hi</p>;\n", [("App",)]),
    "a.go": ("package m\n\n// T is.\ntype T struct { a int }\n\nfunc (t *T) Get() int { return 1 }\n",
             [(), ("T",), ("T", "Get")]),
    "A.java": ("package a;\nclass D {\n  int x;\n  @Override\n  public int m() { return 1; }\n}\n",
               [(), ("D",), ("D", "m")]),
    "a.rs": ("/// Doc\n#[derive(Debug)]\nstruct S { a: u8 }\nimpl S {\n  fn new() -> Self { S }\n}\n",
             [("S",), ("S",), ("S", "new")]),
    "a.c": ("/* f */\nstatic int *f(int a) { return 0; }\nstruct S { int b; };\nstruct S s;\n",
            [("f",), ("S",), ()]),
    "a.cpp": ("namespace n {\ntemplate <class T> T h(T a) { return a; }\nint &B::g() { return y; }\n}\n",
              [("n",), ("n", "h"), ("n", "B::g")]),
    "a.cs": ("namespace N {\n  class C {\n    public C() {}\n    void M() {}\n  }\n}\n",
             [("N",), ("N", "C"), ("N", "C", "C"), ("N", "C", "M")]),
    "a.rb": ("module M\n  class C\n    def m; 1; end\n  end\nend\n", [("M",), ("M", "C"), ("M", "C", "m")]),
    "a.php": ("<?php\n/** d */\nclass C {\n  function m() { return 1; }\n}\nfunction f() {}\n",
              [(), ("C",), ("C", "m"), ("f",)]),
    "a.sh": ("# does\nf() { echo; }\nf\n", [("f",), ()]),
    "a.kt": ("class C(val x: Int) {\n  fun m() = 1\n}\nfun top() {}\n", [("C",), ("C", "m"), ("top",)]),
}  # fmt: skip


def read(text: str, name: str) -> Parsed:
    return parsed(text.encode(), name=name)


def under(found: Parsed, *path: str) -> list[str]:
    return [found.text[s.start : s.end] for s in found.sections if s.path == path]


def test_each_definition_is_a_section_with_what_belongs_to_it() -> None:
    found = read(PYTHON, "tools/a.py")
    assert found.text == PYTHON
    assert [s.path for s in found.sections] == [(), ("f",), ("A",), ("A", "m"), ("A", "n"), ()]
    assert under(found, "f")[0].startswith("# Ruft é auf.\n@dec\ndef f(x):  # says why\n    def inner")
    assert under(found, "A", "m")[0].startswith("    # before\n    def m")
    assert {b.kind for b in found.blocks} == {"code"}
    assert found.fields == {"type": "Code", "programming_language": "python", "file_path": "tools/a.py"}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definitions_are_found(name: str) -> None:
    source, paths = DEFINITIONS[name]
    found = read(source, name)
    assert [s.path for s in found.sections] == paths
    assert "".join(source[s.start : s.end] for s in found.sections) == source


@pytest.mark.parametrize("language", GRAMMARS)
def test_every_type_of_node_is_one_of_the_grammar(language: str) -> None:
    grammar, spoken = GRAMMARS[language], parser(language).language
    kinds = f"{grammar.holders} {grammar.leaves} {grammar.leads}".split()
    assert [kind for kind in kinds if not spoken.id_for_node_kind(kind, True)] == []


def test_overloads_stay_apart() -> None:
    assert [s.path for s in read("int f(int a) { return a; }\nint f() { return 1; }\n", "a.cpp").sections] == [
        ("f",), ("f",),
    ]  # fmt: skip


def test_a_long_function_is_cut_at_those_within() -> None:
    inner = "    def inner():\n        pass\n" + "    x = 1\n" * 1000
    assert [s.path for s in read(f"def f():\n{inner}", "a.py").sections] == [("f",), ("f", "inner"), ("f",)]


def test_languages_without_a_grammar_are_cut_at_blank_lines() -> None:
    found = read("select 1;\n\n  select 2\n  from b;\n", "a.sql")
    assert [found.text[b.start : b.end] for b in found.blocks] == ["select 1;", "  select 2\n  from b;"]
    assert found.sections == ()
    assert found.fields["programming_language"] == "sql"


@pytest.mark.parametrize("name", ["a.py", "a.js", "a.cpp", "a.rb"])
def test_broken_code_is_text_still(name: str) -> None:
    source = "def f(:\n  (((\nclass A\n }} def x(self): pass\n\n\n)"
    assert read(source, name).text == source


def test_what_takes_too_long_is_cut_at_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.documents.parsing.texts.code._MOST_SECONDS", 0.0)
    found = read("def f(): pass\n\n" * 20_000, "a.py")
    assert found.sections == ()
    assert len(found.blocks) == 20_000
    assert "too long" in str(found.metadata["definitions"])


NAMES = st.from_regex(r"\A[a-zäé字]{1,6}\Z").filter(lambda name: not keyword.iskeyword(name))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters='\\"\r\n\x00', exclude_categories=("Cc", "Cs")))


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=8))
def test_offsets_count_characters(parts: list[tuple[str, str]]) -> None:
    pieces = [f'# {text}\ndef {name}():\n    return "{text}"\n' for name, text in parts]
    found = read("X = 'é😀'\n\n" + "\n".join(pieces), "a.py")
    at = 0
    for section in found.sections:
        assert section.start == at
        at = section.end
    assert at == len(found.text)
    bodies = [found.text[s.start : s.end] for s in found.sections if s.path]
    assert [body.strip() for body in bodies] == [piece.strip() for piece in pieces]

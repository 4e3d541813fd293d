"""`muniment index`: a second index built, compared, switched to and back, dropped, on a running house."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from muniment.cli import indexes

WORDS = ("anchor", "barrel", "candle", "dagger", "engine", "falcon")


@pytest.fixture
def index(muniment: Any, tmp_path: Path) -> Any:
    """`muniment index … -c NAME` over a collection of six documents."""
    name = f"shelf-{tmp_path.name.replace('_', '-')[-30:].strip('-').lower()}"
    folder = tmp_path / "things"
    folder.mkdir()
    for word in WORDS:
        (folder / f"{word}.md").write_text(f"# On the {word}\n\nThe {word} is kept in good order.\n")
    assert muniment("add", str(folder), "-c", name).returncode == 0
    return lambda verb, *options: muniment("index", verb, "-c", name, *options)


def test_a_second_index_from_build_to_drop(index: Any, tmp_path: Path) -> None:
    assert index("switch").returncode == 1
    built = index("build", "--recipe", "structure-200")
    assert (built.returncode, "succeeded" in built.stdout) == (0, True), built.stderr
    told = json.loads(index("status", "--json").stdout)
    assert (told["state"], told["done"], told["total"]) == ("ready", 6, 6)
    assert "6 of 6" in index("status").stdout

    file = tmp_path / "questions.jsonl"
    lines = [{"query": f"the {word}", "relevant": [f"{word}.md"]} for word in WORDS] + [{"query": "good order"}]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    compared = index("compare", "--questions", str(file))
    assert compared.returncode == 0, compared.stderr
    assert "no difference that 6 questions can show" in compared.stdout
    assert "7 of 7 questions find the same documents" in compared.stdout
    as_json = json.loads(index("compare", "--questions", str(file), "--json").stdout)
    assert (as_json["questions"], as_json["judged"], as_json["overlap"]) == (7, 6, 1.0)
    assert as_json["measures"]["ndcg"]["difference"] == 0

    before = told["index"]["name"]
    switched = json.loads(index("switch", "--json").stdout)
    assert (switched["index"]["recipe"], switched["standby"]["name"]) == ("structure-200", before)
    assert json.loads(index("rollback", "--json").stdout)["index"]["name"] == before
    assert json.loads(index("drop", "--yes", "--json").stdout)["state"] == "none"
    assert index("compare", "--questions", str(file)).returncode == 1


def test_what_moved_is_said(monkeypatch: pytest.MonkeyPatch, index: Any, tmp_path: Path) -> None:
    assert index("build", "--no-wait").returncode == 0
    seen = []

    def found(_self: Any, query: str, setting: Any) -> list[dict[str, str]]:
        seen.append(query)
        keys = ("a", "c") if setting.standby and query == "other" else ("a", "b")
        return [{"id": key, "key": f"{key}.md", "collection": "x"} for key in keys]

    monkeypatch.setattr("muniment.cli.questions.Asking.found", found)
    file = tmp_path / "questions.jsonl"
    file.write_text('{"query": "same"}\n{"query": "other"}\n')
    said = index("compare", "--questions", str(file)).stdout
    assert "overlap@10 0.667; 1 of 2 questions find the same documents" in said
    assert said.index("other") < said.index("+ c.md") < said.index("- b.md")
    assert len(seen) == 4


def test_a_recipe_that_there_is_not_is_named(index: Any) -> None:
    said = index("build", "--recipe", "no-such")
    assert said.returncode == 1
    assert "structure-160, structure-200" in said.stderr
    assert json.loads(index("status", "--json").stdout)["state"] == "none"


def test_a_second_build_is_told_what_is_in_its_way(index: Any) -> None:
    assert index("build", "--no-wait").returncode == 0
    again = index("build")
    assert again.returncode == 1
    assert "structure-160.2" in again.stderr
    assert "`muniment index drop -c" in again.stderr
    assert json.loads(index("build", "--json").stdout)["type"] == "urn:muniment:problem:standby-there"


@pytest.mark.parametrize(
    ("state", "said"), [("building", "(3 of 9 documents): `muniment runs watch run_1`"), ("ready", "index switch")]
)
def test_how_far_the_index_in_the_way_is(state: str, said: str) -> None:
    told = {"standby": {"name": "m.2"}, "state": state, "done": 3, "total": 9, "run": "run_1"}
    asked = SimpleNamespace(muniment=SimpleNamespace(get=lambda _path: told))
    assert said in indexes._in_the_way(asked, "shelf")  # type: ignore[arg-type]

"""`muniment eval`: search measured by judged questions, on a running house."""

import json
from pathlib import Path
from typing import Any

import pytest

WORDS = ("anchor", "barrel", "candle", "dagger", "engine", "falcon", "garden", "hammer", "island", "jacket")


@pytest.fixture
def asked(muniment: Any, tmp_path: Path) -> Any:
    """`muniment eval` over a collection of ten documents, with questions as they are given."""
    folder = tmp_path / "things"
    folder.mkdir()
    for word in WORDS:
        (folder / f"{word}.md").write_text(
            f"# On the {word}\n\nThis tells how the {word} is kept in good order.\n"
        )
    assert muniment("add", str(folder), "-c", "things").returncode == 0

    def run(questions: list[Any], *options: str) -> Any:
        file = tmp_path / "questions.jsonl"
        file.write_text("\n".join(q if isinstance(q, str) else json.dumps(q) for q in questions))
        return muniment("eval", str(file), "-c", "things", *options)

    return run


def about(word: str) -> dict[str, Any]:
    return {"query": f"how is the {word} kept?", "relevant": [f"{word}.md"]}


def test_measures_now_and_with_a_changed_setting(asked: Any) -> None:
    questions = [about(word) for word in WORDS[:4]]
    told = json.loads(asked(questions, "--json").stdout)
    assert told["questions"] == 4
    assert told["measures"]["ndcg"] == {"now": 1.0}
    changed = asked(
        [*questions, "", {"query": "the anchor", "relevant": {"things/anchor.md": 2, "x.md": 0}}],
        "--set",
        "prior=0.5",
    )
    assert changed.returncode == 0
    assert "nDCG@10" in changed.stdout
    assert "no difference that 5 questions can show" in changed.stdout


def test_a_weight_is_learned_only_where_it_is_surely_better(asked: Any, muniment: Any) -> None:
    few = asked([about(word) for word in WORDS], "--learn")
    assert few.returncode == 1
    assert "at least 20" in few.stderr
    learned = asked([about(word) for word in WORDS] * 2, "--learn", "--apply", "--json")
    told = json.loads(learned.stdout)
    assert (told["prior"], told["best"], told["applied"]) == (None, 1.0, False)
    shown = json.loads(muniment("collections", "show", "things", "--json").stdout)
    assert shown["ranking"] is None


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"query": "x"}',
        '{"query": "x", "relevant": []}',
        '{"query": 1, "relevant": ["a"]}',
        '{"query": "x", "relevant": {"a": "b"}}',
        '{"query": "x", "relevant": {"a": Infinity}}',
    ],
)
def test_a_line_that_is_no_question_is_named(asked: Any, line: str) -> None:
    said = asked([about("anchor"), line])
    assert said.returncode == 1
    assert "line 2" in said.stderr
    assert '"relevant"' in said.stderr


def test_what_is_wrong_with_a_line_is_said(asked: Any) -> None:
    assert "relevant is missing" in asked(['{"query": "x"}']).stderr
    assert "query: Input should be a valid string" in asked(['{"query": 1, "relevant": ["a"]}']).stderr


@pytest.mark.parametrize(
    "option",
    [
        ("--set", "prior"),
        ("--set", "size=2"),
        ("--set", "prior=nan"),
        ("--set", "candidates=2.5"),
        ("--apply",),
        ("--learn", "--mode", "dense"),
    ],
)
def test_wrong_usage_asks_nothing(asked: Any, option: tuple[str, ...]) -> None:
    assert asked([about("anchor")], *option).returncode == 2


def test_copies_in_two_collections_count_once(asked: Any, muniment: Any, tmp_path: Path) -> None:
    assert muniment("add", str(tmp_path / "things"), "-c", "copies").returncode == 0
    told = json.loads(asked([about("anchor"), about("barrel")], "-c", "copies", "--json").stdout)
    assert told["measures"]["recall"] == {"now": 1.0}
    assert told["measures"]["ndcg"] == {"now": 1.0}
    shown = muniment("search", "how is the anchor kept?", "-n", "2").stdout
    assert "things/anchor.md" in shown
    assert "copies/anchor.md" in shown


def test_questions_about_other_documents_are_noticed(asked: Any) -> None:
    lost = asked([{"query": "how is the anchor kept?", "relevant": ["no-such.md"]}])
    assert lost.returncode == 0
    assert "right collection" in lost.stderr
    assert "right collection" not in asked([about("anchor")]).stderr


def test_documents_that_are_not_there_are_named(asked: Any) -> None:
    judged = {"query": "how is the barrel kept?", "relevant": ["barrel.md", "no-such.md", "doc_0"]}
    said = asked([about("anchor"), judged])
    assert said.returncode == 0
    assert "no document that you may read: doc_0, no-such.md\n" in said.stderr
    assert "no document" not in asked([about("anchor")]).stderr

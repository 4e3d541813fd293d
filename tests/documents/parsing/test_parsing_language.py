import json
from pathlib import Path

import pytest

from kit.parsing import parsed

GERMAN = (
    "Der Kühlwagen verlässt die Rampe um fünf Uhr morgens, und sein Fahrer meldet jede Stunde die Temperatur der "
    "Ladung. Weicht sie um mehr als zwei Grad ab, so ruft die Leitstelle sofort bei ihm an und schreibt es auf."
)


def language(text: str, name: str = "a.txt") -> str | None:
    found = parsed(text.encode(), name=name)
    assert found.fields.get("language") == found.language
    return found.language


def test_the_language_is_told_from_the_text() -> None:
    assert language(GERMAN) == "de"
    assert language(f"# Title\n\n{GERMAN}\n", "a.md") == "de"


def test_what_is_declared_stands() -> None:
    assert language(f"---\nlang: fr\n---\n{GERMAN}", "a.md") == "fr"


def test_no_guess_where_there_is_too_little_or_no_prose() -> None:
    assert language("Der Kühlwagen verlässt die Rampe.") is None
    assert language("4711 0815 " * 50) is None
    assert language(f"# {GERMAN}\nx = 1\n", "a.py") is None


def test_code_in_a_document_has_no_say() -> None:
    code = "```\n" + "for item in the_list_of_things: print(item and nothing else)\n" * 40 + "```\n"
    assert language(f"{code}\n{GERMAN}\n\n{code}", "a.md") == "de"


@pytest.mark.parametrize("code", ["en", "de", "es", "ru", "zh"])
def test_no_text_of_others_is_told_wrong(evaldata: Path, code: str) -> None:
    path = evaldata / "xquad" / ("queries.jsonl" if code == "en" else f"queries_{code}.jsonl")
    if not path.is_file():
        pytest.skip("the evaluation data xquad is not here")
    questions = [json.loads(line)["text"] for line in path.read_text().splitlines()][:600]
    told = [language(" ".join(questions[at : at + 6])) for at in range(0, len(questions), 6)]
    assert set(told) <= {code, None}
    assert told.count(code) >= 0.9 * len(told)


def test_chinese_with_western_names_is_no_indic_language() -> None:
    text = (
        "Sky+HD使用的专有系统是什么？ 大部分高清内容使用什么标准？ Sky Digital是什么时候推出的？ "
        "当Sky Digital推出时使用的是什么卫星？"
    )
    assert language(text) in {"zh", None}
    assert (
        language(
            "冷藏车在早上五点离开装卸台，司机每小时报告一次货物的温度。如果温度偏差超过两度，调度中心会立即打电话给他。"
        )
        == "zh"
    )

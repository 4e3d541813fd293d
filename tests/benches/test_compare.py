"""What is said of two runs: moved, as before, or nothing where nothing is known."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from bench import judged, report  # noqa: E402 - found beside src, not installed
from bench.compare import compared, measured, table  # noqa: E402


def row(ours, *, unit="ms", work="search", beside="", baseline=None, **more):
    return {"work": work, "unit": unit, "beside": beside, "ours": ours, "baseline": baseline, **more}


def around(middle, count=40, seed=0):
    return list(np.random.default_rng(seed).normal(middle, middle / 20, count))


def verdicts(before, after):
    return {moved.key[0]: moved.verdict for moved in compared(measured(before), measured(after))}


def test_a_doubled_time_is_worse_and_a_doubled_rate_is_better():
    before = [row(1, samples=around(10)), row(1, work="rate", unit="/s", samples=around(10))]
    after = [row(1, samples=around(20, seed=1)), row(1, work="rate", unit="/s", samples=around(20, seed=1))]
    assert verdicts(before, after) == {"search": "worse", "rate": "better"}


def test_other_draws_of_the_same_are_as_before():
    assert verdicts([row(1, samples=around(10))], [row(1, samples=around(10, seed=1))]) == {"search": "as before"}


def test_a_machine_that_is_slower_for_both_moves_nothing():
    before = [row(1, baseline=1, samples=around(10), baseline_samples=around(5, seed=2))]
    after = [row(1, baseline=1, samples=around(30, seed=1), baseline_samples=around(15, seed=3))]
    assert verdicts(before, after) == {"search": "as before"}


def test_single_values_say_nothing_until_they_are_repeated():
    assert verdicts([row(10)], [row(20)]) == {"search": "one value only"}
    assert verdicts([row(10), row(10.5), row(9.8)], [row(20), row(20.4), row(19)]) == {"search": "worse"}


def test_quality_is_compared_query_by_query():
    scores = [0.0, 1.0] * 50
    better = [min(1.0, score + 0.02) for score in scores]
    before, after = [row(0.5, unit="nDCG@10", samples=scores)], [row(0.5, unit="nDCG@10", samples=better)]
    assert verdicts(before, after) == {"search": "better"}


def test_figures_within_a_name_do_not_part_rows_and_lone_rows_are_left_out():
    before = [row(10, beside="BM25 0.91; best"), row(1, work="gone")]
    lines = table(compared(measured(before), measured([row(12, beside="BM25 0.92; best")])))
    assert len(lines) == 2
    assert "1.20" in lines[1]


def test_a_run_begins_with_the_machine_and_keeps_samples(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setenv(report.RUN, "run")
    report.file.cache_clear()
    report.row("work", 2.0, "ms", beside="other", baseline=4.0, samples=[1.5, 2.5], note="said")
    began, line = map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())
    report.file.cache_clear()
    assert began["machine"]["cpus"] >= 1
    assert "load" in began
    assert (line["ratio"], line["samples"], line["note"]) == (0.5, [1.5, 2.5], "said")
    shown = capsys.readouterr().out
    assert "other 4.00 ms" in shown
    assert shown.splitlines()[0].endswith("0.50")


def test_scores_of_a_list():
    relevant = {"a": 2.0, "b": 1.0}
    assert judged.ndcg(["a", "b"], relevant) == 1.0
    assert judged.ndcg(["b", "a"], relevant) == pytest.approx((1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3)))
    assert judged.recall(["x", "a"], relevant) == 0.5
    low, high = judged.interval([1.0] * 20, [0.5] * 20)
    assert low == high == 0.5

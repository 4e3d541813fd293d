"""The tables of the performance page say what the rows say, also where a peer was better."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from bench.published import beside_peers, growth, lost, merged, peers_table, rows_table  # noqa: E402 - beside src


def row(work, ours, unit, beside="", baseline=None, limit=""):
    ratio = ours / baseline if baseline else None
    return {"work": work, "unit": unit, "beside": beside, "ours": ours, "baseline": baseline, "limit": limit,
            "ratio": ratio}  # fmt: skip


QUALITY = [
    row("peers cisi: 76 questions", 0.50, "nDCG@10", "haystack", 0.45, "+0.050 [+0.010, +0.090]"),
    row("peers cisi: 76 questions", 0.50, "nDCG@10", "txtai", 0.51, "-0.010 [-0.040, +0.020]"),
]
SPEED = [row("peers cisi: search, ours by HTTP, p50", 9.0, "ms", "txtai", 7.0)]


def test_rows_that_were_taken_again_are_one_by_their_medians():
    again = [row("S10 search", ours, "ms", "script", 10.0) for ours in (9.0, 30.0, 12.0)]
    (one,) = merged(again)
    assert (one["ours"], one["baseline"], one["ratio"]) == (12.0, 10.0, 1.2)


def test_a_peer_that_is_faster_is_named_and_one_that_is_better_by_chance_is_not():
    assert lost(beside_peers(QUALITY + SPEED)) == [
        "Where a peer was better (in nDCG and recall: beyond what chance explains):",
        "",
        "- cisi, search, ours by HTTP, p50 (ms): txtai 7.0, Muniment 9.0.",
    ]
    sure = row("peers cisi: 76 questions", 0.50, "nDCG@10", "txtai", 0.60, "-0.100 [-0.140, -0.060]")
    assert "- cisi, nDCG@10: txtai 0.600, Muniment 0.500." in lost(beside_peers([sure]))


def test_the_best_is_bold_and_who_was_not_there_has_no_figure():
    assert "| cisi | nDCG@10 | 0.500 |  | 0.450 | **0.510** |" in peers_table(beside_peers(QUALITY))


def test_other_rows_stand_in_the_order_of_their_names_and_numbers():
    lines = rows_table([row("S10 a", 1, "ms"), row("S2 a", 2, "ms", "bare | x", 4, "< 3"), *QUALITY]).splitlines()
    assert [line.split(" ")[1] for line in lines[4:]] == ["S2", "S10"]
    assert lines[4] == "| S2 a | 2.0 ms | bare | x 4.0 | < 3 | 0.50 |  |".replace("bare |", "bare \\|")


def test_growth_is_drawn_where_a_measure_has_several_sizes():
    rows = [
        row("S9 1,000 chunks: put into the engine", 900.0, "chunks/s"),
        row("S4 10,000 chunks, one by one: search p50", 4.0, "ms"),
        row("S4 1,000 chunks, one by one: search p50", 2.0, "ms"),
        row("S4 1,000 chunks: recall@10, everything", 1.0, ""),
    ]
    assert growth(rows)["panels"] == {"ms": {"one by one: search p50": [(1000, 2.0), (10000, 4.0)]}}
    assert growth(rows[:1]) is None

"""`make bench-publish RUNS=…`: those files of results as tables and plots in `docs/performance/`.

    python -m bench.published [--into docs/performance] FILE …

The files themselves go with them, in place of those that were there. What is written by hand in its README stays.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.limits import met
from bench.peers import PIPELINES, environment

TARGET = Path(__file__).parent.parent / "docs" / "performance"
BEGIN, END = "<!-- written by make bench-publish: begin -->", "<!-- end -->"
DRAWING = ("matplotlib==3.11.2",)
OURS = "Muniment"
CONTENDERS = (OURS, *PIPELINES)
PEERS = re.compile(r"peers (?P<set>\w+): (?P<what>.*)")
GROWTH = re.compile(r"S[49] (\D*)(\d[\d_,]*) chunks(.*)")
GROWS = ("chunks/s", "s", "ms", "MB")
HIGHER = frozenset({"nDCG@10", "recall@10", "docs/s"})
Row = dict[str, Any]


class Cell(NamedTuple):
    """One measure of one set, by contender; `limits` says by how much ours differs."""

    values: dict[str, float]
    limits: dict[str, str]


Peers = dict[tuple[str, str, str], Cell]
"""By set, measure and unit."""


def main() -> None:
    """Publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, default=TARGET, metavar="FOLDER")
    asked = parser.parse_args()
    files, target = [path.resolve() for path in asked.files], asked.into.resolve()
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    begun = [line for line in lines if "machine" in line and "work" not in line]
    rows = merged(line for line in lines if "work" in line)
    peers = beside_peers(rows)
    plots = drawn(rows, peers, target)
    results = target / "results"
    for old in set(results.glob("*.jsonl")) - set(files):
        old.unlink()
    results.mkdir(parents=True, exist_ok=True)
    for path in set(files) - set(results.glob("*.jsonl")):
        shutil.copy(path, results)
    page = target / "README.md"
    if not page.exists():
        shutil.copy(TARGET / "README.md", page)
    parts = [machine(begun), *figures(plots), peers_table(peers), rows_table(rows)]
    text = "\n\n".join(part for part in parts if part)
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


def merged(rows: Iterable[Row]) -> list[Row]:
    """Rows that were taken again are one, with the medians."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["work"], row["unit"], row["beside"]), []).append(row)
    return [_middle(some) for some in found.values()]


def _middle(some: Sequence[Row]) -> Row:
    known = [row["baseline"] for row in some if row["baseline"] is not None]
    ours, baseline = statistics.median(row["ours"] for row in some), statistics.median(known) if known else None
    return some[-1] | {"ours": ours, "baseline": baseline, "ratio": ours / baseline if baseline else None}


def beside_peers(rows: Sequence[Row]) -> Peers:
    """What `bench.versus` found."""
    found: Peers = {}
    for row in rows:
        if (known := PEERS.fullmatch(row["work"])) and row["beside"]:
            what = re.sub(r"^\d+ questions$", "quality", re.sub(r" of \d+$", "", known["what"]))
            cell = found.setdefault((known["set"], what, row["unit"]), Cell({}, {}))
            cell.values[OURS] = row["ours"]
            cell.values[row["beside"]] = row["baseline"]
            cell.limits[row["beside"]] = row["limit"]
    return found


def machine(begun: Sequence[Row]) -> str:
    """When, on what, of which commit."""
    said = dict.fromkeys(
        f"{line['at'][:16].replace('T', ' ')} UTC, commit `{line['commit']}`: {line['machine']['processor']}, "
        f"{line['machine']['cpus']} processors, {line['machine']['memory_gb']} GB, {line['machine']['system']}, "
        f"Python {line['machine']['python']}; load when it began {line['load']}."
        for line in begun
    )
    versions = "; ".join(", ".join(requirements) for requirements in PIPELINES.values())
    return "\n".join([*(f"- {line}" for line in said), f"- Peers: {versions}."])


def peers_table(peers: Peers) -> str:
    """One line for each set and measure; the best is bold, and so is a tie with it."""
    if not peers:
        return ""
    lines = [
        "### Beside the peers",
        "",
        "| set | measure | " + " | ".join(CONTENDERS) + " |",
        "|---" * (2 + len(CONTENDERS)) + "|",
    ]
    for (name, what, unit), cell in peers.items():
        best = (max if unit in HIGHER else min)(cell.values.values())
        shown = [_cell(cell.values.get(contender), best) for contender in CONTENDERS]
        measure = unit if what == "quality" else f"{what}, {unit}"
        lines.append(f"| {name} | {measure} | " + " | ".join(shown) + " |")
    return "\n".join([*lines, "", *lost(peers)])


def lost(peers: Peers) -> list[str]:
    """Every measure in which a peer was better than ours; in quality only beyond chance."""
    found = []
    for (name, what, unit), cell in peers.items():
        ours = cell.values[OURS]
        for peer, limit in cell.limits.items():
            theirs = cell.values[peer]
            if not (theirs > ours if unit in HIGHER else theirs < ours):
                continue
            if what == "quality" and _high(limit) >= 0:
                continue
            measure = unit if what == "quality" else f"{what} ({unit})"
            found.append(f"- {name}, {measure}: {peer} {_number(theirs)}, Muniment {_number(ours)}.")
    if not found:
        return ["No peer was better in any of these (in nDCG and recall: beyond what chance explains)."]
    return ["Where a peer was better (in nDCG and recall: beyond what chance explains):", "", *found]


def rows_table(rows: Sequence[Row]) -> str:
    """All other rows, by their names."""
    lines = ["### Every row", "", "| work | ours | beside it | limit | ratio |  |", "|---" * 6 + "|"]
    others = [row for row in rows if not (PEERS.fullmatch(row["work"]) and row["beside"])]
    if not others:
        return ""
    for row in sorted(others, key=lambda row: _key(row["work"])):
        # Once more, for rows that were taken again are by now one.
        reached = {True: "", None: "", False: "missed"}[met(row["ours"], row["baseline"], row["limit"])]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        beside = row["beside"] if row["baseline"] is None else f"{row['beside']} {_number(row['baseline'])}"
        work, beside, limit = (said.replace("|", "\\|") for said in (row["work"], beside, row["limit"]))
        lines.append(
            f"| {work} | {_number(row['ours'])} {row['unit']} | {beside} | {limit} | {ratio} | {reached} |"
        )
    return "\n".join(lines)


def drawn(rows: Sequence[Row], peers: Peers, target: Path) -> list[tuple[str, str]]:
    """Draw what there is; titles and files."""
    told = [figure for figure in (*_peer_figures(peers), growth(rows)) if figure]
    target.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).parent / "plots.py"
    asked = json.dumps({"folder": str(target), "figures": told})
    subprocess.run([environment("plots", DRAWING), script], input=asked, text=True, check=True)
    return [(figure["title"], figure["file"]) for figure in told]


def figures(plots: Sequence[tuple[str, str]]) -> list[str]:
    """As Markdown."""
    return [f"![{title}]({file})" for title, file in plots]


def _peer_figures(peers: Peers) -> Iterable[Row]:
    for what, unit, file, title in (
        ("quality", "nDCG@10", "peers-ndcg.svg", "Quality of the first ten documents"),
        ("ingest", "docs/s", "peers-ingest.svg", "Documents indexed a second"),
        ("search, ours by HTTP, p50", "ms", "peers-p50.svg", "Median time of a search (ours by HTTP)"),
        ("search, ours by HTTP, p95", "ms", "peers-p95.svg", "95th percentile of a search (ours by HTTP)"),
        ("memory (PSS)", "MB", "peers-memory.svg", "Memory of all processes (PSS)"),
    ):
        cells = {name: cell for (name, of, by), cell in peers.items() if (of, by) == (what, unit)}
        if cells:
            known = [c for c in CONTENDERS if any(c in cell.values for cell in cells.values())]
            series = {c: [cell.values.get(c) for cell in cells.values()] for c in known}
            groups = [name.replace("_", " ", 1).replace("_", "\n") for name in cells]
            figure = {"kind": "bars", "file": file, "title": title, "unit": unit, "log": unit == "docs/s"}
            yield figure | {"groups": groups, "series": series}


def growth(rows: Sequence[Row]) -> Row | None:
    """S4 and S9: each measure by the number of chunks, a panel for each unit."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {unit: {} for unit in GROWS}
    for row in rows:
        if (known := GROWTH.fullmatch(row["work"])) and row["unit"] in panels:
            name = f"{known[1].strip()} {known[3]}".strip(" :,")
            point = (int(re.sub(r"\D", "", known[2])), row["ours"])
            panels[row["unit"]].setdefault(name, []).append(point)
    grown = {
        unit: lines
        for unit, series in panels.items()
        if (lines := {name: sorted(points) for name, points in series.items() if len(points) > 1})
    }
    return {"kind": "lines", "file": "growth.svg", "title": "Growth", "panels": grown} if grown else None


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return ""
    return f"**{_number(value)}**" if _number(value) == _number(best) else _number(value)


def _high(limit: str) -> float:
    """The upper end of `difference [low, high]`."""
    return float(limit.rpartition(",")[2].strip(" ]"))


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}"


def _key(work: str) -> list[str | int]:
    """Words and numbers in turn, so that S10 comes after S2."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", work))]


if __name__ == "__main__":
    main()

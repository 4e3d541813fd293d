"""`make bench-compare A=… B=…`: what moved between two runs beyond their noise.

    python -m bench.compare A B

A and B are files of results, or the start of a commit: then all runs of that commit are taken together. A row with
a baseline is compared by its ratio, for the machine is not the same at all hours. Only what has several values, by
samples or by several runs, can be said to have moved.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench.report import RESULTS
from numpy.typing import NDArray

RESAMPLES = 2000
MOST_SAMPLES = 2000
LESS_IS_BETTER = frozenset({"ms", "s", "MB", "GB"})
MORE_IS_BETTER = frozenset({"/s", "docs/s", "files/s", "tokens/s", "nDCG@10", "recall@10"})
MEANS = frozenset({"nDCG@10", "recall@10"})
"""Units whose values are summed up by their mean; the others by their median."""

FRACTION = re.compile(r"[-+]?\d+\.\d+")
Key = tuple[str, str, str]
Numbers = NDArray[np.float64]


class Measured(NamedTuple):
    """All values of one row in one run."""

    ours: Sequence[float]
    baseline: Sequence[float]
    unit: str

    @property
    def repeated(self) -> bool:
        """Whether its noise is known."""
        return len(self.ours) > 1

    @property
    def middle(self) -> float:
        """The median or mean, by the baseline's where there is one."""
        middle = np.mean if self.unit in MEANS else np.median
        return float(middle(self.ours) / (middle(self.baseline) if len(self.baseline) else 1))

    def drawn(self) -> Numbers:
        """The same of many resamples; values that are as many are drawn in pairs, as those of the same queries."""
        return self._resampled(self.ours) / (self._resampled(self.baseline) if len(self.baseline) else 1)

    def _resampled(self, values: Sequence[float]) -> Numbers:
        some = np.asarray(values[:MOST_SAMPLES], np.float64)
        drawn = some[np.random.default_rng(0).integers(0, len(some), (RESAMPLES, len(some)))]
        middles: Numbers = drawn.mean(axis=1) if self.unit in MEANS else np.median(drawn, axis=1)
        return middles


class Moved(NamedTuple):
    """B by A, and the interval in which nineteen of twenty resamples lie."""

    key: Key
    before: float
    after: float
    low: float
    high: float
    known: bool

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval leaves 1 out."""
        return self.known and not self.low <= 1 <= self.high

    @property
    def verdict(self) -> str:
        """One word."""
        if not self.known:
            return "one value only"
        if not self.beyond_noise:
            return "as before"
        unit, more = self.key[1], self.after > self.before
        if unit in LESS_IS_BETTER:
            return "worse" if more else "better"
        if unit in MORE_IS_BETTER:
            return "better" if more else "worse"
        return "more" if more else "less"


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="A")
    parser.add_argument("after", metavar="B")
    asked = parser.parse_args()
    before, after = (measured(_rows(name)) for name in (asked.before, asked.after))
    shown = compared(before, after)
    if not shown:
        sys.exit("the two have no row in common")
    for line in table(shown):
        print(line)


def measured(rows: Iterable[dict[str, Any]]) -> dict[Key, Measured]:
    """By work, unit and what stands beside; rows that appear again add their values."""
    found: dict[Key, Measured] = {}
    for row in rows:
        if "work" not in row:
            continue
        key = (FRACTION.sub("#", row["work"]), row["unit"], FRACTION.sub("#", row["beside"]))
        ours, baseline, unit = found.get(key, Measured((), (), row["unit"]))
        own = row.get("samples") or [row["ours"]]
        other = row.get("baseline_samples") or ([] if not row["baseline"] else [row["baseline"]])
        found[key] = Measured([*ours, *own], [*baseline, *other], unit)
    return found


def compared(before: dict[Key, Measured], after: dict[Key, Measured]) -> list[Moved]:
    """The rows of both, those that moved most beyond their noise first."""
    found = []
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        if not old.middle:
            continue  # nothing can be put in proportion to nothing
        ratios = new.drawn() / np.maximum(old.drawn(), 1e-12)
        low, high = np.quantile(ratios, [0.025, 0.975])
        known = old.repeated and new.repeated
        found.append(Moved(key, old.middle, new.middle, float(low), float(high), known))
    return sorted(found, key=lambda moved: (not moved.beyond_noise, not moved.known, moved.key))


def table(shown: Sequence[Moved]) -> list[str]:
    """One line for each row."""
    lines = [f"{'work':<70} | {'A':>10} | {'B':>10} | {'B / A':>6} | {'95 %':<14} |"]
    for moved in shown:
        work, unit, beside = moved.key
        name = f"{work} [{unit or '1'}{f' by {beside}' if beside else ''}]"
        interval = f"{moved.low:.2f} … {moved.high:.2f}" if moved.known else ""
        ratio = moved.after / moved.before
        values = f"{moved.before:>10.4g} | {moved.after:>10.4g} | {ratio:>6.2f} | {interval:<14}"
        lines.append(f"{name:<70} | {values} | {moved.verdict}")
    return lines


def _rows(name: str) -> list[dict[str, Any]]:
    path = Path(name)
    files = [path] if path.is_file() else sorted(RESULTS.glob(f"*-{name}*.jsonl"))
    if not files:
        sys.exit(f"there is no file {name}, and no run of a commit {name} in {RESULTS}")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


if __name__ == "__main__":
    main()

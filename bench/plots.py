"""Runs in the environment of matplotlib: draws the figures that it is told on its input into a folder.

Ink is written as a variable of CSS, so that the same file reads on light and on dark pages.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]
from matplotlib.figure import Figure  # type: ignore[import-not-found]

INK = "#123457"
COLOURS = ("#2f7de1", "#d0672a", "#2c9c72", "#9a63c4", "#8a8a8a")
STYLE = "<style>:root{--ink:#24292f}@media (prefers-color-scheme:dark){:root{--ink:#d8dee4}}</style>"


def main() -> None:
    """Draw all of them."""
    mpl.rcParams.update(
        dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)
        | {"svg.hashsalt": "muniment", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
        | {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    )
    told = json.load(sys.stdin)
    for figure in told["figures"]:
        drawn = _bars(figure) if figure["kind"] == "bars" else _lines(figure)
        path = Path(told["folder"]) / figure["file"]
        drawn.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
        text = path.read_text().replace(INK, "var(--ink, #777)")
        head, tag, rest = text.partition("<defs>")
        path.write_text("\n".join(line.rstrip() for line in f"{head}{STYLE}{tag}{rest}".splitlines()) + "\n")


def _bars(figure: dict[str, Any]) -> Figure:
    """A group for each set, a bar for each contender."""
    groups, series = figure["groups"], figure["series"]
    drawn = Figure(figsize=(8.5, 3.2))
    axes = drawn.subplots()
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        at = [place + (number - (len(series) - 1) / 2) * width for place in range(len(groups))]
        axes.bar(at, [value or 0 for value in values], width * 0.92, label=name, color=COLOURS[number])
    axes.set_xticks(range(len(groups)), groups)
    axes.tick_params(axis="x", length=0)
    if figure["log"]:
        axes.set_yscale("log")
    axes.set_ylabel(figure["unit"])
    axes.set_title(figure["title"], loc="left", fontsize=11)
    axes.grid(axis="y", alpha=0.25, color=INK, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(ncols=len(series), loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return drawn


def _lines(figure: dict[str, Any]) -> Figure:
    """A panel for each unit; both axes by powers of ten."""
    panels = figure["panels"]
    high = -(-len(panels) // 2)
    drawn = Figure(figsize=(8.8, 3.2 * high))
    many = drawn.subplots(high, 2).flatten()
    for empty in many[len(panels) :]:
        empty.set_axis_off()
    for axes, (unit, series) in zip(many, panels.items(), strict=False):
        for number, (name, points) in enumerate(series.items()):
            axes.plot(*zip(*points, strict=True), marker="o", label=name, color=COLOURS[number % len(COLOURS)])
        axes.set_xscale("log")
        axes.set_yscale("log")
        values = [value for points in series.values() for _, value in points]
        axes.set_ylim(min(values) / 3, max(values) * 6)  # what stays as it is shall look so; the legend is above
        axes.set_xlabel("chunks")
        axes.set_ylabel(unit)
        axes.grid(alpha=0.25, color=INK, linewidth=0.6)
        axes.legend(fontsize=8, loc="upper left")
    drawn.suptitle(figure["title"], x=0.02, ha="left", fontsize=11)
    drawn.tight_layout()
    return drawn


if __name__ == "__main__":
    main()

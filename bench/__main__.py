"""`make bench`: the benches of speed, scale and retrieval in turn, or those that are named.

    python -m bench [NAME …] [--peers] [--rounds 1] [--tiny]

Prints rows of work, ours, baseline or limit, and their ratio; keeps them in `bench/results/`, a file for each run.
All of them take about forty minutes on two processors, once what they embed and fill is kept; each bench takes
larger sizes when it is run by itself (`python -m bench.scale --million`).
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from bench.report import Skipped, file


class Bench(NamedTuple):
    """A module under a name, what it is told, and what makes it end in seconds."""

    module: str
    arguments: Sequence[str] = ()
    tiny: Sequence[str] = ()
    peers: bool = False


FILLED = ("--chunks", "2000")
BENCHES = {
    "embedding": Bench("embedding", tiny=("--rounds", "1", "--chunks", "16"), peers=True),
    "start": Bench("start", tiny=(*FILLED, "--rounds", "1")),
    "walls": Bench("walls", tiny=("--queries", "20")),
    "ingest": Bench("ingest", tiny=("--files", "20", "--documents", "2")),
    "pipeline": Bench("pipeline", tiny=("--documents", "3"), peers=True),
    "serving": Bench("serving", tiny=(*FILLED, "--seconds", "4", "--clients", "4")),
    "stages": Bench("stages", tiny=(*FILLED, "--queries", "20")),
    "answers": Bench("answers", tiny=(*FILLED, "--questions", "10")),
    "busy": Bench("busy", tiny=(*FILLED, "--documents", "5", "--seconds", "4")),
    "filters": Bench("filters", tiny=(*FILLED, "--queries", "6")),
    "scale": Bench("scale", tiny=("--chunks", "1000", "3000")),
    "ranking": Bench("ranking", tiny=("--sets", "xquad", "--queries", "10", "--graph-sets", "spider_dev_tables")),
    "together": Bench(
        "ranking", ("--together", "--skip-graphs"), ("--sets", "xquad", "spider_dev_tables", "--queries", "10")
    ),
    "passages": Bench("passages", tiny=("--corpora", "1")),
    "access": Bench("access", tiny=("--documents", "30", "--users", "2", "--queries", "3")),
    "setup": Bench("setup"),
}
"""S1 to S12, Q1 to Q3, Q6; the fresh set-up is the last, for it depends on the net."""

OTHERS = {name: Bench(name) for name in ("support", "abstention", "parsing", "large")} | {
    "parsing": Bench("parsing", peers=True),
    "versus": Bench(
        "versus", tiny=("--sets", "spider_dev_tables", "--queries", "10", "--only", "txtai"), peers=True
    ),
}
KNOWN = BENCHES | OTHERS
LONGEST_SECONDS = 3600
LEFT_OUT = 77
"""What a bench ends with that cannot be taken here."""


def main() -> None:
    """Run them; one that fails does not keep the others from running."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(KNOWN))
    parser.add_argument("--rounds", type=int, default=1, help="all of them so often: noise is known by repetition")
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    parser.add_argument("--tiny", action="store_true", help="in sizes that say nothing, to see that they work")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    names = asked.names or [name for name in BENCHES if not (asked.tiny and name == "setup")]
    if unknown := sorted(set(names) - set(KNOWN)):
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    if asked.here:
        _one(KNOWN[names[0]], peers=asked.peers, tiny=asked.tiny)
        return
    path = file()
    extra = [flag for flag, told in (("--peers", asked.peers), ("--tiny", asked.tiny)) if told]
    ended = [(name, *_apart(name, extra)) for _ in range(asked.rounds) for name in names]
    print()
    for name, how, seconds in ended:
        print(f"{name:<12} {how:<8} {seconds / 60:>6.1f} min")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row.get("met") is False:
            print(f"missed: {row['work']}: {row['ours']:.4g} {row['unit']}; {row['beside']} {row['limit']}")
    print(f"{'all':<12} {'':<8} {sum(seconds for *_, seconds in ended) / 60:>6.1f} min, kept in {path}")
    if failed := [name for name, how, _ in ended if how == "failed"]:
        sys.exit(f"failed: {', '.join(failed)}")


def _apart(name: str, extra: Sequence[str]) -> tuple[str, float]:
    """In a process of its own, so that none feels what another left in memory: how it ended, and its seconds."""
    print(f"\n== {name}", flush=True)
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bench", "--here", name, *extra])
    try:
        code = process.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"it is ended after {LONGEST_SECONDS} s", flush=True)
        process.send_signal(signal.SIGINT)  # and with it the servers that it started
        process.wait()
        code = 1
    seconds = time.perf_counter() - began
    how = {0: "done", LEFT_OUT: "skipped"}.get(code, "failed")
    print(f"-- {name}: {how} in {seconds:.0f} s", flush=True)
    return how, seconds


def _one(bench: Bench, *, peers: bool, tiny: bool) -> None:
    told = [*bench.arguments, *(bench.tiny if tiny else ()), *(["--peers"] if peers and bench.peers else [])]
    sys.argv = [f"bench.{bench.module}", *told]
    try:
        import_module(f"bench.{bench.module}").main()
    except Skipped as skipped:
        print(f"skipped: {skipped}", flush=True)
        sys.exit(LEFT_OUT)


if __name__ == "__main__":
    main()

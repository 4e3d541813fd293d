"""`make bench`: every bench in turn, each in a process of its own, or those that are named.

    python -m bench [NAME …] [--peers] [--rounds 1]

Prints rows of work, ours, baseline or limit, and their ratio; keeps them in `bench/results/`, a file for each run.
"""

import argparse
import subprocess
import sys
from importlib import import_module

from bench.report import Skipped, file

BENCHES = (
    "embedding", "start", "walls", "filters", "ingest", "pipeline", "serving", "answers", "busy", "scale",
    "ranking", "passages", "access", "support", "abstention", "parsing", "large", "setup",
)  # fmt: skip
KNOWN = (*BENCHES, "versus")
WITH_PEERS = {"embedding", "parsing", "pipeline", "versus"}


def main() -> None:
    """Run them; one that fails does not keep the others from running."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=BENCHES, metavar="NAME", help=", ".join(KNOWN))
    parser.add_argument("--rounds", type=int, default=1, help="all of them so often: noise is known by repetition")
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(KNOWN)):
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    if arguments.here:
        _one(arguments.names[0], peers=arguments.peers)
        return
    path = file()
    rounds = [name for _ in range(arguments.rounds) for name in arguments.names]
    failed = [name for name in rounds if _apart(name, peers=arguments.peers)]
    print(f"\nkept in {path}")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def _apart(name: str, *, peers: bool) -> int:
    """In a process of its own, so that no bench feels what another left in memory."""
    print(f"\n== {name}", flush=True)
    extra = ["--peers"] if peers else []
    return subprocess.run([sys.executable, "-m", "bench", "--here", name, *extra], check=False).returncode


def _one(name: str, *, peers: bool) -> None:
    sys.argv = [f"bench.{name}", *(["--peers"] if peers and name in WITH_PEERS else [])]
    try:
        import_module(f"bench.{name}").main()
    except Skipped as skipped:
        print(f"skipped: {skipped}", flush=True)


if __name__ == "__main__":
    main()

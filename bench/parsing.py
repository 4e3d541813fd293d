"""Q8, Q9: the words that are read of each format, hostile files, pages and megabytes a second, beside the peers.

    python -m bench.parsing [--peers]

Ours is one child of the product's pool: its confinement, pipes and checks are in the times.
"""

import argparse
import asyncio
import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import evaldata, report
from bench.peers import Peer, environment, is_made

from muniment.documents.parsing.bounds import ParserSettings
from muniment.documents.parsing.child.process import Child
from muniment.documents.parsing.child.task import ParseTask
from muniment.documents.parsing.model import Parsed
from muniment.kernel.logs import configure_logs
from muniment.kernel.problems import Problem

PEERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pypdf": ("pypdf==7.1.0", ("pdf",)),
    "python-docx": ("python-docx==1.2.0", ("docx",)),
    "python-pptx": ("python-pptx==1.0.2", ("pptx",)),
    "markitdown": (
        "markitdown[docx,pdf,pptx,xlsx]==0.1.8",
        ("pdf", "docx", "pptx", "html", "xlsx", "csv", "epub"),
    ),
}
"""What each peer is installed from, and the formats that it reads."""

SETTINGS = ParserSettings()
SCRIPT = Path(__file__).with_name("peer_parsers.py")
ROUNDS = 3
LEAST_F1 = 0.98
MOST_SECONDS = 20.0
UNREAD = frozenset({"boxnote", "doc", "jats", "odf", "ppt", "uspto", "webvtt", "xls"})
"""Formats of parsing_docling that are refused, by a reason, or read as what they are written in."""

RIGHT: dict[str, frozenset[str]] = {
    "encrypted": frozenset({"FileEncrypted"}),
    "encrypted-office": frozenset({"FileEncrypted", "FormatUnknown"}),
    "corrupt": frozenset({"read", "FileBroken", "FileEmpty", "OcrMissing"}),
    "edge": frozenset({"read", "FileEmpty"}),
    "encoding": frozenset({"read", "NotText"}),
    "bomb": frozenset({"read", "ParserLimit", "FileBroken", "FileEmpty"}),
    "external-link": frozenset({"read", "FileEmpty", "FormatUnknown"}),
    "archive": frozenset({"FormatUnknown"}),
}
"""What may come of the files of each kind; of the others that they are read, or not known."""

_ADDRESS = re.compile(r"\]\([^)]*\)")


class Reading(NamedTuple):
    """What came of a file."""

    text: str
    pages: int
    seconds: float
    failed: str | None


class Case(NamedTuple):
    """A file, and the Markdown that says what it holds."""

    format: str
    path: Path
    truth: Path


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="make the peers' environments when they are absent")
    configure_logs("error", "console")
    report.header()
    asyncio.run(measure(make=parser.parse_args().peers))


async def measure(*, make: bool) -> None:
    """All parts, with one child of the pool's, and each peer that is there."""
    child = Child(SETTINGS)
    with peers(make=make) as others:
        try:
            await words(child, others)
            await recall(child, others)
            await hostile(child)
            await speed(child, others)
        finally:
            await child.end()


@contextmanager
def peers(*, make: bool) -> Iterator[dict[str, Peer]]:
    """The peers whose environments are there, or are made."""
    others = {}
    for name, (requirement, _) in PEERS.items():
        if make or is_made(name):
            others[name] = Peer(environment(name, (requirement,)), SCRIPT, name)
    try:
        yield others
    finally:
        for peer in others.values():
            peer.close()


def cases(name: str) -> dict[str, list[Case]]:
    """The files of a set by their format."""
    folder = evaldata.folder() / name / "files"
    found: dict[str, list[Case]] = {}
    for row in evaldata.lines(f"{name}/manifest"):
        truth = folder / (row.get("truth") or row["file"])
        if truth.is_file() and (folder / row["file"]).is_file():
            found.setdefault(row["format"], []).append(Case(row["format"], folder / row["file"], truth))
    return found


async def ours(child: Child, path: Path) -> Reading:
    """What we read of a file."""
    begun, seconds = time.perf_counter(), SETTINGS.seconds_for(_size(path))
    task = ParseTask(path=path, name=path.name, media_type=None, seconds=seconds)
    try:
        parsed = Parsed.model_validate_json(await child.ask(task.model_dump_json().encode(), seconds))
    except Problem as problem:
        return Reading("", 0, time.perf_counter() - begun, type(problem).__name__)
    return Reading(parsed.text, len(parsed.pages), time.perf_counter() - begun, None)


def _size(path: Path) -> int:
    return path.stat().st_size


def theirs(peer: Peer, path: Path) -> Reading:
    """What a peer reads of it."""
    return Reading(**json.loads(peer.ask(json.dumps(str(path)))))


def bag(text: str) -> Counter[str]:
    """The words of a text or of Markdown, addresses left out."""
    return Counter(re.findall(r"\w+", _ADDRESS.sub("]", text).lower()))


def f1(found: Counter[str], truth: Counter[str]) -> float:
    """How well the words agree, repeats counted."""
    both = found.total() + truth.total()
    return 2 * (found & truth).total() / both if both else 1.0


async def words(child: Child, others: dict[str, Peer]) -> None:
    """Q8 on files made from Markdown: what is in them is known for sure."""
    for form, files in cases("parsing_formats").items():
        truths = [bag(case.truth.read_text()) for case in files]
        mine = [await ours(child, case.path) for case in files]
        score = mean([f1(bag(r.text), t) for r, t in zip(mine, truths, strict=True)])
        row = f"Q8 word F1, {form}, {len(files)} files"
        report.row(row, score, "", limit=f">= {LEAST_F1}", worst=round(_worst(mine, truths), 4))
        for name, peer in _of(others, form):
            read = [theirs(peer, case.path) for case in files]
            peer_score = mean([f1(bag(r.text), t) for r, t in zip(read, truths, strict=True)])
            report.row(row, score, "", beside=name, baseline=peer_score)


def _worst(readings: Sequence[Reading], truths: Sequence[Counter[str]]) -> float:
    return min(f1(bag(r.text), t) for r, t in zip(readings, truths, strict=True))


async def recall(child: Child, others: dict[str, Peer]) -> None:
    """The share of the words of Docling's own output that is read: no truth, only another's reading."""
    for form, files in cases("parsing_docling").items():
        if form in UNREAD:
            continue
        truths = [bag(case.truth.read_text(errors="replace")) for case in files]
        mine = [await ours(child, case.path) for case in files]
        score = mean([_recall(bag(r.text), t) for r, t in zip(mine, truths, strict=True)])
        row = f"recall of Docling's words, {form}, {len(files)} files"
        refused = dict(Counter(r.failed for r in mine if r.failed))
        lows = {
            case.path.name: round(_recall(bag(r.text), t), 2)
            for case, r, t in zip(files, mine, truths, strict=True)
            if _recall(bag(r.text), t) < 0.8
        }
        report.row(row, score, "", limit="no target", refused=refused, low=lows)
        for name, peer in _of(others, form):
            read = [theirs(peer, case.path) for case in files]
            other = mean([_recall(bag(r.text), t) for r, t in zip(read, truths, strict=True)])
            report.row(row, score, "", beside=name, baseline=other)


def _recall(found: Counter[str], truth: Counter[str]) -> float:
    return (found & truth).total() / truth.total() if truth else 1.0


async def hostile(child: Child) -> None:
    """Q9: what comes of each kind of hostile file."""
    folder, starts = evaldata.folder() / "parsing_hostile" / "files", child.starts
    by_kind: dict[str, Counter[str]] = {}
    wrong, slowest, count = [], 0.0, 0
    for row in evaldata.lines("parsing_hostile/manifest"):
        read = await ours(child, folder / row["file"])
        outcome, kind = read.failed or "read", row["kind"]
        by_kind.setdefault(kind, Counter())[outcome] += 1
        slowest, count = max(slowest, read.seconds), count + 1
        if outcome not in RIGHT.get(kind, {"read", "FormatUnknown"}):
            wrong.append(f"{row['file']}: {outcome}")
    crashes = child.starts - max(starts, 1)
    report.row(f"Q9 hostile files: crashes, of {count}", crashes, "", limit="at most 0")
    report.row("Q9 hostile files: slowest", slowest, "s", limit=f"<= {MOST_SECONDS:g}")
    report.row("Q9 hostile files: wrong outcomes", len(wrong), "", limit="at most 0", files=wrong)
    for kind, outcomes in sorted(by_kind.items()):
        print(f"    {kind:<18} {', '.join(f'{name} {n}' for name, n in outcomes.most_common())}", flush=True)


async def speed(child: Child, others: dict[str, Peer]) -> None:
    """Pages and megabytes a second, all files of a format, the best of a few rounds; then the child's memory."""
    files = cases("parsing_formats")
    for form, more in cases("parsing_docling").items():
        if form not in UNREAD:
            files.setdefault(form, []).extend(more)
    with tempfile.TemporaryDirectory() as folder:
        for form, some in files.items():
            read = [case.path for case in some if not (await ours(child, case.path)).failed]
            if read:
                await _race(child, others, form, copied(read, Path(folder) / form))
    report.row("the child's memory at its peak", child.held_mb, "MB", limit=f"<= {SETTINGS.parser_memory_mb}")


async def _race(child: Child, others: dict[str, Peer], form: str, paths: Sequence[Path]) -> None:
    size = sum(path.stat().st_size for path in paths) / 1e6
    rounds = [[await ours(child, path) for path in paths] for _ in range(ROUNDS)]
    mine = min(sum(r.seconds for r in readings) for readings in rounds)
    pages = sum(r.pages for r in rounds[0])
    for name, peer in [*_of(others, form), ("", None)] if not _of(others, form) else _of(others, form):
        other = _fastest(peer, paths) if peer else None
        said = {"beside": name, "baseline": size / other} if other else {}
        report.row(f"parsing, {form}, {len(paths)} files", size / mine, "MB/s", **said)  # type: ignore[arg-type]
        if pages:
            said = {"beside": name, "baseline": pages / other} if other else {}
            report.row(f"parsing, {form}, {pages} pages", pages / mine, "pages/s", **said)  # type: ignore[arg-type]


def _fastest(peer: Peer, paths: Sequence[Path]) -> float:
    return min(sum(theirs(peer, path).seconds for path in paths) for _ in range(ROUNDS))


def copied(paths: Sequence[Path], folder: Path) -> list[Path]:
    """The files in a folder of their own, warm in the system's cache."""
    folder.mkdir(parents=True)
    return [Path(shutil.copy(path, folder / path.name)) for path in paths]


def _of(others: dict[str, Peer], form: str) -> list[tuple[str, Any]]:
    return [(name, peer) for name, peer in others.items() if form in PEERS[name][1]]


def mean(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


if __name__ == "__main__":
    main()

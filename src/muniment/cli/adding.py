"""The command that puts files into a collection, and tells what became of each."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect
from muniment.cli.files import PassedOver, Source, sources
from muniment.cli.terminal import err, out, plain, print_json, steps
from muniment.cli.uploading import Uploading
from muniment.cli.waiting import Answer, Ended, earlier_runs, outcome_of, wait, with_runs
from muniment.collections.contract import CollectionMissing, CollectionTaken
from muniment.documents.contract import DocumentMissing, DocumentType
from muniment.identity.contract import Level
from muniment.kernel.extras import late
from muniment.kernel.problems import Invalid, Problem
from muniment.sdk import Muniment

SHOWN_PATHS = 3
_ORDER = ("added", "updated", "unchanged", "accepted", "waiting", "deleted", "skipped", "failed")
_SETTLE_MS = 500


class NothingToAdd(Problem, status=422):
    """The paths hold no file that can be read."""


class Outcome(NamedTuple):
    """What became of one file; `document` is the API's own word on it."""

    path: str
    what: str
    reason: str | None
    document: dict[str, Any]


class Wanted(NamedTuple):
    """What is to be added, where to, and how; `called` are the keys of files that have other names."""

    paths: Sequence[Path]
    called: dict[Path, str]
    collection: str
    prefix: str
    options: dict[str, Any]
    ignoring: bool
    deleting: bool
    waiting: bool
    as_json: bool


def add(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders, patterns in quotes; - is the input.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Made on first use.")] = "default",
    access_level: Annotated[
        Level | None, typer.Option("--access-level", help="Who may read them.", show_default="the collection's")
    ] = None,
    grant: Annotated[list[str] | None, typer.Option("--grant", help="Let in user:NAME or group:NAME.")] = None,
    type: Annotated[DocumentType | None, typer.Option("--type", help="Of all of them.")] = None,  # noqa: A002 - the API's word
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Of all of them; may be repeated.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", help="NAME=VALUE of all of them; may be repeated.")
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="In front of every key.")] = "",
    key: Annotated[str, typer.Option("--key", help="What the input (-) is called.")] = "stdin.txt",
    no_ignore: Annotated[
        bool, typer.Option("--no-ignore", help="Take what .gitignore and .munimentignore leave out.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete documents (with the prefix) whose file is gone.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: add what changes, until Ctrl-C.")] = False,
    wait_for_it: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all can be searched.")] = True,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add files and folders to a collection; the same file again is no new work.

    In a folder, hidden files and those that .gitignore or .munimentignore name are left out.

    Example: muniment add ./handbook notes.md -c handbook --watch --delete
    """
    options: dict[str, Any] = {
        name: value
        for name, value in (("access_level", access_level), ("grants", grant), ("type", type), ("tags", tag))
        if value
    }
    if metadata:
        options["metadata"] = dict(_pair(pair) for pair in metadata)
    if delete and not any(path.is_dir() for path in paths):
        raise typer.BadParameter("--delete wants a folder: of what is not in it, the documents are deleted")
    with _input(paths, key, watch=watch) as named, connect(server, data) as muniment:
        called = {path: key for path in named if path not in paths}
        how = (not no_ignore, delete, wait_for_it or watch, as_json)
        wanted = Wanted(named, called, collection, prefix, options, *how)
        taken: dict[str, Source] = {}
        failed = _once(muniment, wanted, taken)
        if watch:
            _watch(muniment, wanted, taken)
    if failed:
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--metadata wants NAME=VALUE, not {text!r}")
    return name, value


@contextmanager
def _input(paths: list[Path], key: str, *, watch: bool) -> Iterator[list[Path]]:
    """The paths, the input as a file in the place of `-`."""
    if Path("-") not in paths:
        yield paths
        return
    if watch:
        raise typer.BadParameter("the input (-) ends, and cannot be watched")
    with TemporaryDirectory() as folder:
        file = Path(folder) / Path(key).name
        with file.open("wb") as copy:
            while piece := sys.stdin.buffer.read(1 << 20):
                copy.write(piece)
        yield [file if path == Path("-") else path for path in paths]


def _once(muniment: Muniment, wanted: Wanted, taken: dict[str, Source]) -> bool:
    """Add what is there now and not `taken` before, which is noted; whether anything failed."""
    found = list(sources(wanted.paths, ignoring=wanted.ignoring))
    files = [
        file._replace(key=wanted.prefix + wanted.called.get(file.path, file.key))
        for file in found
        if isinstance(file, Source)
    ]
    passed = [source for source in found if isinstance(source, PassedOver)]
    if not files:
        reasons = "; ".join(f"{p.path}: {p.reason}" for p in passed[:SHOWN_PATHS])
        spared = "; nothing was deleted" if wanted.deleting else ""
        raise NothingToAdd(f"there is no file to add ({reasons or 'the folders are empty'}){spared}")
    fresh = [file for file in files if taken.get(file.key) != file]
    with steps(quiet=wanted.as_json) as progress:
        _ensure(muniment, wanted.collection)
        uploading = Uploading(muniment, wanted.collection, wanted.options, progress)
        answers: list[Answer] = list(uploading.upload(fresh))
        ended = None
        if wanted.waiting:
            earlier = earlier_runs(muniment, wanted.collection, answers)
            ended = wait(muniment, answers, progress, earlier.values())
            answers = with_runs(answers, earlier)
        documents = [document for answer in answers for document in answer["documents"]]
    outcomes = [
        *(_passed_over(path) for path in passed),
        *(
            _outcome(wanted.called.get(file.path, str(file.path)), document, ended)
            for file, document in zip(fresh, documents, strict=True)
        ),
    ]
    taken |= {file.key: file for file, document in zip(fresh, documents, strict=True) if not document["problem"]}
    if wanted.deleting and any(path.failed for path in passed):
        err.print(plain("nothing is deleted, since not everything could be read", "yellow"))
    elif wanted.deleting:
        kept = {file.key for file in files} | {wanted.prefix + path.key for path in passed}
        outcomes += _deleted(muniment, wanted, kept)
    if outcomes:
        _tell(wanted, answers, outcomes)
    return any(outcome.what in {"failed", "waiting"} for outcome in outcomes)


def _watch(muniment: Muniment, wanted: Wanted, taken: dict[str, Source]) -> None:
    """Again after each change, until Ctrl-C; what failed for now is tried again with the next one."""
    err.print("watching for changes; Ctrl-C ends it")
    with suppress(KeyboardInterrupt):
        for _ in late("watchfiles").watch(*wanted.paths, step=_SETTLE_MS):
            try:
                _once(muniment, wanted, taken)
            except Problem as problem:
                if not problem.retryable and not isinstance(problem, NothingToAdd):
                    raise
                err.print(plain(problem.detail or problem.title, "yellow"))


def _ensure(muniment: Muniment, collection: str) -> None:
    try:
        muniment.get(f"/api/v1/collections/{quote(collection, safe='')}")
    except CollectionMissing:
        try:
            muniment.post("/api/v1/collections", {"name": collection})
        except CollectionTaken as taken:
            raise CollectionTaken(
                f"the collection {collection} is not yours to read; choose another name with -c"
            ) from taken


def _deleted(muniment: Muniment, wanted: Wanted, kept: set[str]) -> list[Outcome]:
    """Delete the documents under the prefix that no file stands for; attachments go with their message."""
    path = f"/api/v1/collections/{quote(wanted.collection, safe='')}/documents"
    there = muniment.pages(path, limit=500, key_prefix=wanted.prefix or None)
    gone = [d for d in there if d["key"] not in kept and d.get("attached_to") is None]
    outcomes = []
    for document in gone:
        told = {"id": document["id"], "key": document["key"], "version": document["version"], "duplicate": False}
        nothing: dict[str, Any] = {**told, "run": None, "problem": None}
        try:
            muniment.delete(f"/api/v1/documents/{document['id']}")
        except DocumentMissing:
            continue  # somebody else was faster
        except Problem as problem:
            document_told = {**nothing, "problem": problem.document()}
            outcomes.append(Outcome(document["key"], "failed", problem.detail or problem.title, document_told))
            continue
        outcomes.append(Outcome(document["key"], "deleted", None, nothing))
    return outcomes


def _passed_over(passed: PassedOver) -> Outcome:
    problem = Invalid(passed.reason).document() if passed.failed else None
    document = {"id": None, "key": None, "version": None, "duplicate": False, "run": None, "problem": problem}
    return Outcome(str(passed.path), "failed" if passed.failed else "skipped", passed.reason, document)


def _outcome(path: str, document: dict[str, Any], ended: Ended | None) -> Outcome:
    what, problem = outcome_of(document, ended)
    if problem is None:
        return Outcome(path, what, None, document)
    reason = problem["detail"] or problem["title"]
    later = " (the server tries again by itself)" if what == "waiting" else ""
    return Outcome(path, what, reason + later, {**document, "problem": problem})


def _tell(wanted: Wanted, answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
    if not wanted.as_json:
        _summarise(outcomes, wanted.collection)
        return
    runs = [answer["run"] for answer in answers if answer["run"]]
    told = [{**o.document, "path": o.path, "outcome": o.what, "reason": o.reason} for o in outcomes]
    print_json({"run": runs[0] if len(runs) == 1 else None, "runs": runs, "documents": told})


def _summarise(outcomes: Sequence[Outcome], collection: str) -> None:
    counts = Counter(outcome.what for outcome in outcomes)
    told = ", ".join(f"{counts[what]} {what}" for what in _ORDER if counts[what])
    out.print(plain(f"{collection}: {told}"))
    alike: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.reason is not None:
            alike.setdefault((outcome.what, outcome.reason), []).append(outcome.path)
    for (what, reason), paths in alike.items():
        more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
        named = ", ".join(paths[:SHOWN_PATHS])
        err.print(plain(what, "red" if what == "failed" else "yellow") + plain(f" {named}{more}: {reason}"))

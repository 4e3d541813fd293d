"""The command that puts files into a collection, and tells what became of each."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect
from muniment.cli.terminal import Steps, err, out, print_json, steps
from muniment.collections.contract import CollectionMissing, CollectionTaken
from muniment.kernel.problems import Problem
from muniment.sdk import File, Muniment

FILES_A_REQUEST, BYTES_A_REQUEST = 50, 32 << 20
POLL_SECONDS = 0.3


class NothingToAdd(Problem, status=422):
    """The paths hold no file that can be read."""


class Outcome(NamedTuple):
    """What became of one file."""

    path: str
    what: str
    reason: str | None = None


def add(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Made on first use.")] = "default",
    access_level: Annotated[
        str | None, typer.Option("--access-level", help="public, internal, confidential or restricted.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all can be searched.")] = True,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add files and folders to a collection; the same file again is no new work.

    Example: muniment add ./handbook notes.md -c handbook
    """
    outcomes: list[Outcome] = []
    options = {"access_level": access_level} if access_level else {}
    files = list(_files(paths, options, outcomes))
    if not files:
        reasons = "; ".join(f"{o.path}: {o.reason}" for o in outcomes)
        raise NothingToAdd("no file to add" + (f" ({reasons})" if reasons else ": the folders are empty"))
    with connect(server, data) as muniment, steps(quiet=as_json) as progress:
        _ensure(muniment, collection)
        uploaded = list(_upload(muniment, collection, files, progress))
        runs = [answer["run"] for answer in uploaded if answer["run"]]
        unwell = _wait(muniment, runs, len(files), progress) if wait else set()
        waiting = iter(files)
        for answer in uploaded:
            for document in answer["documents"]:
                asked = muniment if answer["run"] in unwell else None
                outcomes.append(_outcome(asked, next(waiting), document, waited=wait))
    if as_json:
        print_json([outcome._asdict() for outcome in outcomes])
    else:
        _summarise(outcomes, collection)
    if any(outcome.what == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _files(paths: Sequence[Path], options: dict[str, Any], outcomes: list[Outcome]) -> Iterator[File]:
    """Every file under `paths` with its key: its name, or its path within the folder that was named."""
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if not any(q.startswith(".") for q in p.relative_to(path).parts)
            )
            found = [(p, p.relative_to(path).as_posix()) for p in inside if p.is_file()]
        else:
            found = [(path, path.name)]
        for file, key in found:
            try:
                file.open("rb").close()
            except OSError as refused:
                outcomes.append(Outcome(str(file), "failed", refused.strerror))
            else:
                yield File(file, {"key": key, **options})


def _ensure(muniment: Muniment, collection: str) -> None:
    try:
        muniment.get(f"/api/v1/collections/{collection}")
    except CollectionMissing:
        try:
            muniment.post("/api/v1/collections", {"name": collection})
        except CollectionTaken as taken:
            raise CollectionTaken(
                f"the collection {collection} is not yours to read; choose another name with -c"
            ) from taken


def _upload(muniment: Muniment, collection: str, files: list[File], progress: Steps) -> Iterator[Any]:
    """Upload in requests of bounded size; a request whose files are all refused is told file by file."""
    done, waiting = 0, list(files)
    while waiting:
        batch, size = [waiting.pop(0)], 0
        size = batch[0].path.stat().st_size
        while waiting and len(batch) < FILES_A_REQUEST and size + waiting[0].path.stat().st_size < BYTES_A_REQUEST:
            size += waiting[0].path.stat().st_size
            batch.append(waiting.pop(0))
        try:
            yield muniment.upload(collection, batch)
        except Problem as problem:
            if problem.status not in (413, 422):
                raise
            refused = problem.extra.get("documents") or [{"problem": problem.document()}] * len(batch)
            yield {"run": None, "documents": refused}
        done += len(batch)
        progress.show("uploading", done, len(files))


def _wait(muniment: Muniment, runs: list[str], total: int, progress: Steps) -> set[str]:
    """Wait until all runs are over; those that did not succeed."""
    done, open_runs, unwell = dict.fromkeys(runs, 0), list(runs), set[str]()
    while open_runs:
        for run in list(open_runs):
            told = muniment.get(f"/api/v1/runs/{run}")
            done[run] = told["progress"]["done"]
            if told["state"] in ("succeeded", "failed", "cancelled"):
                open_runs.remove(run)
                if told["state"] != "succeeded":
                    unwell.add(run)
        progress.show("making searchable", sum(done.values()), total)
        if open_runs:
            time.sleep(POLL_SECONDS)
    return unwell


def _outcome(muniment: Muniment | None, file: File, document: dict[str, Any], *, waited: bool) -> Outcome:
    """What became of a file; with a server given, its own run is looked at."""
    name, problem = str(file.path), document.get("problem")
    if problem:
        return Outcome(name, "failed", problem["detail"])
    if document["duplicate"] or document["run"] is None:
        return Outcome(name, "unchanged")
    if not waited:
        return Outcome(name, "accepted")
    if muniment is not None:
        run = muniment.get(f"/api/v1/runs/{document['run']}")
        if run["state"] != "succeeded":
            return Outcome(name, "failed", (run["problem"] or {}).get("detail") or run["state"])
    return Outcome(name, "added" if document["version"] == 1 else "updated")


def _summarise(outcomes: Sequence[Outcome], collection: str) -> None:
    counts = {what: sum(o.what == what for o in outcomes) for what in dict.fromkeys(o.what for o in outcomes)}
    out.print(f"{collection}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for outcome in outcomes:
        if outcome.what == "failed":
            err.print(f"[red]failed[/red] {outcome.path}: {outcome.reason}")

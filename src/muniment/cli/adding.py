"""The command that puts files into a collection, and tells what became of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect
from muniment.cli.files import PassedOver, Source, sources
from muniment.cli.terminal import Steps, err, out, plain, print_json, steps
from muniment.cli.waiting import Ended, outcome_of, wait
from muniment.collections.contract import CollectionMissing, CollectionTaken
from muniment.identity.contract import Level
from muniment.kernel.problems import Invalid, Problem, Unavailable
from muniment.sdk import File, Muniment

FILES_A_REQUEST, BYTES_A_REQUEST = 50, 32 << 20
SHOWN_PATHS = 3


class NothingToAdd(Problem, status=422):
    """The paths hold no file that can be read."""


class Outcome(NamedTuple):
    """What became of one file; `document` is the API's own word on it."""

    path: str
    what: str
    reason: str | None
    document: dict[str, Any]


def add(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="Made on first use.")] = "default",
    access_level: Annotated[
        Level | None, typer.Option("--access-level", help="Who may read them.", show_default="the collection's")
    ] = None,
    wait_for_it: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all can be searched.")] = True,
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add files and folders to a collection; the same file again is no new work.

    Example: muniment add ./handbook notes.md -c handbook
    """
    found = list(sources(paths))
    files = [source for source in found if isinstance(source, Source)]
    passed = [source for source in found if isinstance(source, PassedOver)]
    if not files:
        reasons = "; ".join(f"{p.path}: {p.reason}" for p in passed[:SHOWN_PATHS])
        raise NothingToAdd(f"there is no file to add ({reasons or 'the folders are empty'})")
    options = {"access_level": access_level} if access_level else {}
    with connect(server, data) as muniment, steps(quiet=as_json) as progress:
        _ensure(muniment, collection)
        answers = list(_upload(muniment, collection, files, options, progress))
        documents = [document for answer in answers for document in answer["documents"]]
        ended = wait(muniment, answers, progress) if wait_for_it else None
        outcomes = [
            *(_passed_over(path) for path in passed),
            *(_outcome(file, document, ended) for file, document in zip(files, documents, strict=True)),
        ]
    if as_json:
        runs = [answer["run"] for answer in answers if answer["run"]]
        told = [{**o.document, "path": o.path, "outcome": o.what, "reason": o.reason} for o in outcomes]
        print_json({"run": runs[0] if len(runs) == 1 else None, "runs": runs, "documents": told})
    else:
        _summarise(outcomes, collection)
    if any(outcome.what in {"failed", "waiting"} for outcome in outcomes):
        raise typer.Exit(1)


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


def _batches(files: Sequence[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for file in files:
        if batch and (len(batch) == FILES_A_REQUEST or size + file.size_bytes > BYTES_A_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    yield batch


def _upload(
    muniment: Muniment, collection: str, files: Sequence[Source], options: dict[str, Any], progress: Steps
) -> Iterator[Any]:
    """Upload in requests of bounded size; a request whose files are all refused is told file by file."""
    done = 0
    progress.show("uploading", 0, len(files))
    for batch in _batches(files):
        asked = [File(file.path, {"key": file.key, **options}) for file in batch]
        try:
            yield muniment.upload(collection, asked)
        except OSError as gone:
            problem = Invalid(f"it could not be read any more: {gone.strerror}").document()
            yield _refused(batch, [{"problem": problem}] * len(batch))
        except Unavailable as broken:
            again = "add the same files again: what was taken before is no new work"
            raise Unavailable(f"{broken.detail}; {again}", **broken.extra) from broken
        except Problem as problem:
            if problem.status not in (413, 422):
                raise
            yield _refused(batch, problem.extra.get("documents") or [{"problem": problem.document()}] * len(batch))
        done += len(batch)
        progress.show("uploading", done, len(files))


def _refused(batch: Sequence[Source], documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    nothing = {"id": None, "key": None, "version": None, "duplicate": False, "run": None}
    told = [{**nothing, "key": file.key, **document} for file, document in zip(batch, documents, strict=True)]
    return {"run": None, "documents": told}


def _passed_over(passed: PassedOver) -> Outcome:
    problem = Invalid(passed.reason).document() if passed.failed else None
    document = {"id": None, "key": None, "version": None, "duplicate": False, "run": None, "problem": problem}
    return Outcome(str(passed.path), "failed" if passed.failed else "skipped", passed.reason, document)


def _outcome(file: Source, document: dict[str, Any], ended: Ended | None) -> Outcome:
    what, problem = outcome_of(document, ended)
    if problem is None:
        return Outcome(str(file.path), what, None, document)
    reason = problem["detail"] or problem["title"]
    later = " (the server tries again by itself)" if what == "waiting" else ""
    return Outcome(str(file.path), what, reason + later, {**document, "problem": problem})


def _summarise(outcomes: Sequence[Outcome], collection: str) -> None:
    counts = Counter(outcome.what for outcome in outcomes)
    out.print(plain(f"{collection}: " + ", ".join(f"{count} {what}" for what, count in counts.items())))
    alike: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.reason is not None:
            alike.setdefault((outcome.what, outcome.reason), []).append(outcome.path)
    for (what, reason), paths in alike.items():
        more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
        named = ", ".join(paths[:SHOWN_PATHS])
        err.print(plain(what, "red" if what == "failed" else "yellow") + plain(f" {named}{more}: {reason}"))

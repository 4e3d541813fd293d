"""Commands on runs and dead letters: what is being done, what failed for good, and what to do about it."""

import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer

from muniment.cli.documents import LimitOption
from muniment.cli.session import Session, asking, moment
from muniment.cli.terminal import err, out, plain, print_json, steps
from muniment.cli.waiting import OVER, POLL_SECONDS
from muniment.documents.contract import RunState
from muniment.kernel.problems import Problem

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id.")]
LettersArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[LETTER]…", help="Ids, as `muniment dead-letters list` shows them.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]

app = typer.Typer(no_args_is_help=True, help="Runs: what is being done, how far it is, and once more.")
letters = typer.Typer(no_args_is_help=True, help="Dead letters: what failed for good; retry or drop it.")


def reason(problem: dict[str, Any] | None) -> str:
    """A problem in a line."""
    return "" if problem is None else str(problem.get("detail") or problem.get("title"))


def progress_of(run: dict[str, Any]) -> str:
    """`3/10 chunks`."""
    told = run["progress"]
    return f"{told['done']}/{told['total']} {told['unit']}" if told["total"] else ""


@app.command("list")
@asking
def list_runs(
    asked: Session,
    state: Annotated[RunState | None, typer.Option("--state", help="Only in this state.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="ingest, batch, reindex, purge …")] = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only of this one.")] = None,
    limit: LimitOption = 50,
) -> None:
    """List runs, the newest first.

    Example: muniment runs list --state failed
    """
    asked.list(
        "/api/v1/runs",
        (
            ("RUN", lambda r: r["id"]),
            ("KIND", lambda r: r["kind"]),
            ("STATE", lambda r: r["state"]),
            ("PROGRESS", progress_of),
            ("ATTEMPTS", lambda r: r["attempts"]),
            ("COLLECTION", lambda r: r["collection"]),
            ("CREATED", lambda r: moment(r["created_at"])),
            ("PROBLEM", lambda r: reason(r["problem"])),
        ),
        limit,
        state=state,
        kind=kind,
        collection=collection,
    )


@app.command()
@asking
def show(asked: Session, run: RunArgument) -> None:
    """Show a run: its state, attempts, next attempt, and its problem if it has one.

    Example: muniment runs show run_documents_0…
    """
    _tell(asked, asked.muniment.get(_at(run)))


@app.command()
@asking
def watch(asked: Session, run: RunArgument) -> None:
    """Wait for the end of a run, with its progress; exit code 1 unless it succeeds.

    Example: muniment runs watch run_documents_0…
    """
    with steps(quiet=asked.as_json) as progress:
        while (told := asked.muniment.get(_at(run)))["state"] not in OVER:
            waits = f", again at {moment(told['next_attempt_at'])}" if told["next_attempt_at"] else ""
            done = told["progress"]
            progress.show(f"{told['kind']} {told['state']}{waits}", done["done"], done["total"])
            time.sleep(POLL_SECONDS)
    _tell(asked, told)
    if told["state"] != "succeeded":
        raise typer.Exit(1)


@app.command()
@asking
def retry(asked: Session, run: RunArgument) -> None:
    """Try a run that failed or was cancelled once more.

    Example: muniment runs retry run_documents_0…
    """
    _tell(asked, asked.muniment.post(f"{_at(run)}/retry"))


@app.command()
@asking
def cancel(asked: Session, run: RunArgument) -> None:
    """Call a run off; what is current stays so.

    Example: muniment runs cancel run_documents_0…
    """
    _tell(asked, asked.muniment.post(f"{_at(run)}/cancel"))


def _at(run: str) -> str:
    return f"/api/v1/runs/{quote(run, safe='')}"


def _tell(asked: Session, run: dict[str, Any]) -> None:
    rows = {k: v for k, v in run.items() if k not in {"progress", "problem"}}
    asked.show(run, [*rows.items(), ("progress", progress_of(run)), ("problem", reason(run["problem"]))])


@letters.command("list")
@asking
def list_letters(
    asked: Session,
    kind: Annotated[str | None, typer.Option("--kind", help="ingest, reindex …, or an event's type.")] = None,
    limit: LimitOption = 50,
) -> None:
    """List what failed for good and waits for someone to retry or drop it.

    Example: muniment dead-letters list
    """
    asked.list(
        "/api/v1/dead-letters",
        (
            ("ID", lambda d: d["id"]),
            ("KIND", lambda d: d["kind"]),
            ("COLLECTION", lambda d: d["collection"]),
            ("KEY", lambda d: d.get("key")),
            ("ATTEMPTS", lambda d: d["attempts"]),
            ("FAILED", lambda d: moment(d["failed_at"])),
            ("PROBLEM", lambda d: reason(d["problem"])),
        ),
        limit,
        kind=kind,
    )


@letters.command("retry")
@asking
def retry_letters(asked: Session, ids: LettersArgument = None, every: AllOption = False) -> None:
    """Put dead letters back to work, with all their attempts.

    Example: muniment dead-letters retry --all
    """
    _each(asked, _wanted(asked, ids, every=every), "retried", lambda at: asked.muniment.post(f"{at}/retry"))


@letters.command("drop")
@asking
def drop_letters(asked: Session, ids: LettersArgument = None, every: AllOption = False) -> None:
    """Give dead letters up; older versions stay current.

    Example: muniment dead-letters drop run_documents_0…
    """
    _each(asked, _wanted(asked, ids, every=every), "dropped", asked.muniment.delete)


def _wanted(asked: Session, ids: list[str] | None, *, every: bool) -> list[str]:
    if bool(ids) == every:
        raise typer.BadParameter("name the letters, or say --all")
    return ids or [letter["id"] for letter in asked.muniment.pages("/api/v1/dead-letters")]


def _each(asked: Session, wanted: list[str], word: str, act: Callable[[str], Any]) -> None:
    """Do it to each; one that refuses does not hold up the others, and makes the exit code 1."""
    told: list[dict[str, Any]] = []
    for letter in wanted:
        try:
            act(f"/api/v1/dead-letters/{quote(letter, safe='')}")
            told.append({"id": letter, "outcome": word, "problem": None})
        except Problem as problem:
            told.append({"id": letter, "outcome": "failed", "problem": problem.document()})
            err.print(plain(f"{letter}: {problem.detail or problem.title}", "red"))
    if asked.as_json:
        print_json(told)
    else:
        out.print(plain(f"{sum(t['outcome'] == word for t in told)} {word}"))
    if any(t["problem"] for t in told):
        raise typer.Exit(1)

"""Commands on a collection's indexes: build a second one, compare, switch, go back, drop."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import typer

from muniment.cli.documents import YesOption
from muniment.cli.evaluating import measured, tell_measures
from muniment.cli.questions import Asking, Question, Setting, questions
from muniment.cli.runs import reason
from muniment.cli.session import Session, asking
from muniment.cli.terminal import out, plain, print_json, steps
from muniment.cli.waiting import OVER, POLL_SECONDS
from muniment.collections.contract import StandbyThere
from muniment.kernel.problems import Unavailable
from muniment.sdk.measures import overlap

_WORST = 5
_PATIENCE_SECONDS = 600
"""For a model that has to be fetched before anything is promised."""

CollectionOption = Annotated[str, typer.Option("--collection", "-c", help="Whose index.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Indexes: build a collection's next one beside the present one, compare, switch, go back, drop.",
)


def _at(collection: str) -> str:
    return f"/api/v1/collections/{quote(collection, safe='')}/index"


@app.command()
@asking
def build(
    asked: Session,
    collection: CollectionOption,
    model: Annotated[
        str | None, typer.Option("--model", help="Its embedding model.", show_default="as it is")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", help="How it is chunked: structure-160 or structure-200.", show_default="as it is"
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is built.")] = True,
) -> None:
    """Build a second index beside the present one; searches and uploads go on.

    Example: muniment index build -c handbook --model my-model
    """
    body = {"model": model, "recipe": recipe}
    try:
        run = asked.muniment.post(_at(collection), body, timeout_seconds=_PATIENCE_SECONDS)
    except StandbyThere as there:
        raise StandbyThere(_in_the_way(asked, collection), **there.extra) from there
    if wait:
        run = _waited(asked, run)
    problem = reason(run["problem"])
    asked.tell(run, f"{run['id']}: {run['state']}{f' ({problem})' if problem else ''}")
    if wait and run["state"] != "succeeded":
        raise typer.Exit(1)


def _in_the_way(asked: Session, collection: str) -> str:
    """Which second index there is already, how far it is, and what to do about it."""
    told = asked.muniment.get(_at(collection))
    named = told["standby"]["name"] if told["standby"] else "a second index"
    drop = f"`muniment index drop -c {collection}` gives it up"
    if told["state"] == "building":
        far = f"{told['done']} of {told['total']} documents"
        watch = f"`muniment runs watch {told['run']}` waits for it" if told["run"] else "wait for it"
        return f"{collection} is building {named} already ({far}): {watch}, {drop}"
    switch = f"`muniment index switch -c {collection}` searches it"
    return f"{collection} has {named} as its second index already ({told['state']}): {switch}, {drop}"


def _waited(asked: Session, run: dict[str, Any]) -> dict[str, Any]:
    with steps(quiet=asked.as_json) as progress:
        while run["state"] not in OVER:
            done = run["progress"]
            step = "waiting to be built" if run["state"] == "queued" else "building the second index"
            progress.show(step, done["done"], done["total"])
            time.sleep(POLL_SECONDS)
            run = _looked_at(asked, run["id"])
    return run


def _looked_at(asked: Session, run: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = asked.muniment.get(f"/api/v1/runs/{run}")
    except Unavailable as broken:
        later = "the build goes on once the server runs again: `muniment index status`"
        raise Unavailable(f"{broken.detail}; {later}", **broken.extra) from broken
    return found


@app.command()
@asking
def status(asked: Session, collection: CollectionOption) -> None:
    """Show the index that is searched, the second one, and how far that is.

    Example: muniment index status -c handbook
    """
    _tell(asked, asked.muniment.get(_at(collection)))


@app.command()
@asking
def switch(asked: Session, collection: CollectionOption) -> None:
    """Search the second index from now on, and keep the present one beside it.

    Example: muniment index switch -c handbook
    """
    _tell(asked, asked.muniment.post(f"{_at(collection)}/switch"))


@app.command()
@asking
def rollback(asked: Session, collection: CollectionOption) -> None:
    """Search the index again that was searched before the switch.

    Example: muniment index rollback -c handbook
    """
    _tell(asked, asked.muniment.post(f"{_at(collection)}/switch"))


@app.command()
@asking
def drop(asked: Session, collection: CollectionOption, yes: YesOption = False) -> None:
    """Forget the second index: whichever is not searched now.

    Example: muniment index drop -c handbook --yes
    """
    told = asked.muniment.get(_at(collection))
    if told["standby"] is not None:
        asked.confirm(f"Drop {told['standby']['name']}? To have it again is to build it again.", yes=yes)
    _tell(asked, asked.muniment.delete(f"{_at(collection)}/standby"))


def _tell(asked: Session, told: dict[str, Any]) -> None:
    standby = told["standby"]
    rows = [("searched", told["index"]["name"]), ("second", standby and standby["name"])]
    if standby is not None:
        rows += [
            ("state", told["state"]),
            ("documents", f"{told['done']} of {told['total']}"),
            ("run", told["run"]),
        ]
    asked.show(told, rows)


class _Moved(NamedTuple):
    """A question whose results are others in the second index: which documents came in, and which went out."""

    query: str
    overlap: float
    came: list[str]
    went: list[str]


@app.command()
@asking
def compare(
    asked: Session,
    collection: CollectionOption,
    file: Annotated[
        Path, typer.Option("--questions", help="Lines of JSON with query, and where it is judged relevant.")
    ],
    depth: Annotated[int, typer.Option("--depth", "-k", min=1, max=100, help="How many documents count.")] = 10,
) -> None:
    """Ask both indexes your own questions: which finds better where they are judged, what moved where not.

    Example: muniment index compare -c handbook --questions questions.jsonl
    """
    asked_of = questions(file, unjudged=True)
    asking_them = Asking(asked, asked_of, [collection], depth)
    after = asking_them.answered(Setting("hybrid", None, standby=True), "the second index")
    before = asking_them.answered(Setting("hybrid", None), "the present index")
    moved = [_moved(*each) for each in zip(asked_of, before, after, strict=True)]
    judged = [place for place, question in enumerate(asked_of) if question.relevant]
    measures = None
    if judged:
        measures = measured(
            *([asking_them.score(asked_of[place], found[place]) for place in judged] for found in (before, after))
        )
    if asked.as_json:
        told = {"questions": len(asked_of), "judged": len(judged), "depth": depth, "measures": measures}
        print_json({**told, "overlap": fmean(m.overlap for m in moved), "moved": [m._asdict() for m in moved]})
        return
    if measures is not None:
        tell_measures(measures, len(judged), depth, "SECOND")
    _tell_moved(moved, depth)


def _moved(question: Question, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> _Moved:
    names = [{found["id"]: found["key"] for found in answer} for answer in (before, after)]
    old, new = names
    return _Moved(
        query=question.query,
        overlap=overlap([*old], [*new]),
        came=[key for id_, key in new.items() if id_ not in old],
        went=[key for id_, key in old.items() if id_ not in new],
    )


def _tell_moved(moved: Sequence[_Moved], depth: int) -> None:
    same = sum(m.overlap == 1 for m in moved)
    share = fmean(m.overlap for m in moved)
    out.print(plain(f"overlap@{depth} {share:.3f}; {same} of {len(moved)} questions find the same documents"))
    for m in sorted(moved, key=lambda m: m.overlap)[:_WORST]:
        if m.overlap == 1:
            continue
        out.print(plain(f"{m.overlap:.2f}  {m.query}", "bold"))
        for sign, keys in (("+", m.came), ("-", m.went)):
            if keys:
                out.print(plain(f"      {sign} {', '.join(keys)}"))

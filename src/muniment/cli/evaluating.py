"""The command that measures search by judged questions: as it is, as it could be, and as they say it should be."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import typer

from muniment.cli.looking import CollectionsOption, RankingOption, ranking_of
from muniment.cli.questions import Asking, Setting, questions
from muniment.cli.session import Session, asking, table
from muniment.cli.terminal import err, out, plain, print_json
from muniment.kernel.problems import Invalid
from muniment.retrieval.contract import Mode
from muniment.sdk.measures import Scores, difference

PRIORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""What `--learn` tries for the weight of words; 1 is the server's."""

_SERVERS = PRIORS.index(1.0)
_FOLDS = 5
_NAMES_SHOWN = 10
_FEWEST_TO_LEARN = 20
_SHOWN = {"ndcg": "nDCG", "recall": "recall", "reciprocal_rank": "MRR"}

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Judged questions: lines of JSON with query and relevant.")
]


@asking
def evaluate(
    asked: Session,
    file: FileArgument,
    collection: CollectionsOption = None,
    change: RankingOption = None,
    mode: Annotated[Mode | None, typer.Option("--mode", help="A way of searching to try.")] = None,
    depth: Annotated[int, typer.Option("--depth", "-k", min=1, max=100, help="How many documents count.")] = 10,
    learn: Annotated[bool, typer.Option("--learn", help="Find the weight of words that suits best.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="With --learn: make it the collection's own.")] = False,
) -> None:
    """Measure search by your own judged questions, as it is and with a changed setting.

    Example: muniment eval questions.jsonl -c handbook --set prior=0.5
    """
    if apply and (not learn or len(collection or ()) != 1):
        raise typer.BadParameter("--apply needs --learn and one --collection")
    if learn and (change or mode):
        raise typer.BadParameter("--learn tries settings of its own; leave --set and --mode out")
    ranking = ranking_of(change)
    judged = questions(file)
    asking_them = Asking(asked, judged, collection, depth)
    if learn:
        learned = _learned(asking_them, len(judged))
        if apply and learned.prior is not None:
            _apply(asked, (collection or [""])[0], learned.prior)
        _tell_learned(asked, learned, depth, applied=apply)
        _tell_unknown(asking_them)
        return
    before = asking_them.scored(Setting("hybrid", None), "as it is")
    after = None
    if ranking is not None or mode is not None:
        after = asking_them.scored(Setting(mode or "hybrid", ranking), "as changed")
    _tell(asked, before, after, depth)
    _tell_unknown(asking_them)


def _tell_unknown(asked: Asking) -> None:
    unknown = asked.unknown()
    if unknown:
        shown = ", ".join(unknown[:_NAMES_SHOWN]) + (", …" if len(unknown) > _NAMES_SHOWN else "")
        err.print(plain(f"judged, and no document that you may read: {shown}", "yellow"))


class _Learned(NamedTuple):
    """The prior that suits best, None where none is surely better; and what each question gained out of fold."""

    prior: float | None
    best: float
    before: list[Scores]
    after: list[Scores]


def _learned(asked: Asking, count: int) -> _Learned:
    """Chosen by the mean nDCG, and judged on questions that had no say in it."""
    if count < _FEWEST_TO_LEARN:
        raise Invalid(f"{count} questions are too few to learn from: judge at least {_FEWEST_TO_LEARN}")
    tried = [asked.scored(Setting("hybrid", {"prior": prior}), f"prior {prior:g}") for prior in PRIORS]

    def best(places: Sequence[int]) -> int:
        means = [fmean(rows[place].ndcg for place in places) for rows in tried]
        return max(range(len(PRIORS)), key=lambda at: (means[at], -abs(at - _SERVERS)))

    by_fold = [best([place for place in range(count) if place % _FOLDS != fold]) for fold in range(_FOLDS)]
    after = [tried[by_fold[place % _FOLDS]][place] for place in range(count)]
    before = asked.scored(Setting("hybrid", None), "as it is")
    gain = difference([row.ndcg for row in before], [row.ndcg for row in after])
    chosen = PRIORS[best(range(count))]
    return _Learned(chosen if gain.low > 0 else None, chosen, before, after)


def _apply(asked: Session, collection: str, prior: float) -> None:
    address = f"/api/v1/collections/{quote(collection, safe='')}"
    own = asked.muniment.get(address)["ranking"] or {}
    asked.muniment.patch(address, {"ranking": {**own, "prior": prior}})


def _tell_learned(asked: Session, learned: _Learned, depth: int, *, applied: bool) -> None:
    if asked.as_json:
        told = {"prior": learned.prior, "best": learned.best, "applied": applied and learned.prior is not None}
        print_json({**told, "measures": measured(learned.before, learned.after)})
        return
    _tell(asked, learned.before, learned.after, depth)
    if learned.prior is None:
        sure = "as the server has it" if learned.best == PRIORS[_SERVERS] else "but not surely better"
        out.print(plain(f"prior {learned.best:g} did best, {sure}: nothing is changed"))
    elif applied:
        out.print(plain(f"prior {learned.prior:g} is the collection's own now"))
    else:
        out.print(plain(f"prior {learned.prior:g} suits best; --apply makes it the collection's own"))


def _tell(asked: Session, before: Sequence[Scores], after: Sequence[Scores] | None, depth: int) -> None:
    measures = measured(before, after)
    if asked.as_json:
        print_json({"questions": len(before), "depth": depth, "measures": measures})
        return
    tell_measures(measures, len(before), depth)


def tell_measures(measures: dict[str, dict[str, Any]], count: int, depth: int, changed: str = "CHANGED") -> None:
    """A table, and where two settings were measured a verdict; `changed` heads the other one's column."""
    names = {name: f"{shown}@{depth}" for name, shown in _SHOWN.items()}
    columns = [("MEASURE", lambda row: names[row[0]]), ("NOW", lambda row: f"{row[1]['now']:.3f}")]
    is_compared = "changed" in measures["ndcg"]
    if is_compared:
        columns += [
            (changed, lambda row: f"{row[1]['changed']:.3f}"),
            ("DIFFERENCE", lambda row: f"{row[1]['difference']:+.3f}"),
            ("95 % INTERVAL", lambda row: f"[{row[1]['low']:+.3f}, {row[1]['high']:+.3f}]"),
        ]
    table(list(measures.items()), columns)
    if is_compared:
        out.print(plain(_verdict(measures["ndcg"], count), "bold"))
    if not any(measures["recall"].get(which) for which in ("now", "changed")):
        err.print("nothing judged relevant was found: are these the documents' keys, and the right collection?")


def measured(before: Sequence[Scores], after: Sequence[Scores] | None) -> dict[str, dict[str, Any]]:
    """Means by measure, and with two settings their difference and its interval."""
    found: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(Scores._fields):
        own = [row[place] for row in before]
        found[name] = {"now": fmean(own)}
        if after is not None:
            other = [row[place] for row in after]
            found[name] |= {"changed": fmean(other), **_interval(own, other)}
    return found


def _interval(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    found = difference(before, after)
    return {"difference": found.mean, "low": found.low, "high": found.high}


def _verdict(ndcg: dict[str, Any], count: int) -> str:
    if ndcg["low"] > 0:
        return "better"
    if ndcg["high"] < 0:
        return "worse"
    return f"no difference that {count} questions can show"

"""Judged questions: read from a file, asked of a server, and scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from muniment.cli.documents import is_known
from muniment.cli.session import Session
from muniment.cli.terminal import steps
from muniment.kernel.problems import Invalid
from muniment.retrieval.contract import Mode
from muniment.sdk.measures import Scores, scores

_LOOKED_UP = 100
"""A file of another installation may name thousands."""

_EXAMPLE = '{"query": "how are leases renewed", "relevant": ["leases.md"]}'


class Question(NamedTuple):
    """A question, and the grades of what answers it, by a document's id, key, or COLLECTION/KEY; none unjudged."""

    query: str
    relevant: dict[str, float]


class Setting(NamedTuple):
    """How searches are asked: the way, weights other than the collection's own, and in its second index or not."""

    mode: Mode
    ranking: dict[str, float] | None
    standby: bool = False


class _Line(BaseModel):
    """A line of the file; what else it says is passed over."""

    query: Annotated[str, Field(min_length=1)]
    relevant: dict[str, FiniteFloat] | Annotated[list[str], Field(min_length=1)] | None = None


def questions(file: Path, *, unjudged: bool = False) -> list[Question]:
    """One JSON object a line: `query`, and `relevant` as a list of documents or an object of their grades.

    With `unjudged` it may be left out. Raises Invalid, naming the line.
    """
    found = [_question(line, f"{file}, line {number}", unjudged=unjudged) for number, line in _lines(file)]
    if not found:
        raise Invalid(f"{file} holds no judged question")
    return found


def _question(line: str, where: str, *, unjudged: bool) -> Question:
    try:
        said = _Line.model_validate_json(line)
    except ValidationError as unfit:
        first = unfit.errors()[0]
        field = f" {first['loc'][0]}:" if first["loc"] else ""
        raise Invalid(f"{where}:{field} {first['msg']}; a judged question is like {_EXAMPLE}") from unfit
    if said.relevant is None:
        if unjudged:
            return Question(said.query, {})
        raise Invalid(f"{where}: relevant is missing; a judged question is like {_EXAMPLE}")
    grades = said.relevant if isinstance(said.relevant, dict) else dict.fromkeys(said.relevant, 1.0)
    relevant = {name: grade for name, grade in grades.items() if grade > 0}
    if not relevant:
        raise Invalid(f"{where}: nothing is relevant; a question without an answer measures nothing")
    return Question(said.query, relevant)


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        raise Invalid(f"{file} cannot be read: {failure}") from failure
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


class Asking:
    """Asks every question in a setting, and scores the answers."""

    def __init__(
        self, asked: Session, judged: Sequence[Question], collections: list[str] | None, depth: int
    ) -> None:
        self._asked, self._judged, self._collections, self._depth = asked, judged, collections, depth
        self._seen: set[str] = set()

    def scored(self, setting: Setting, name: str) -> list[Scores]:
        """A row for each question; `name` is what the progress is called."""
        found = self.answered(setting, name)
        return [self.score(question, answer) for question, answer in zip(self._judged, found, strict=True)]

    def answered(self, setting: Setting, name: str) -> list[list[dict[str, Any]]]:
        """What is found for each question."""
        rows: list[list[dict[str, Any]]] = []
        with steps(quiet=self._asked.as_json) as progress:
            for question in self._judged:
                progress.show(name, len(rows), len(self._judged))
                rows.append(self.found(question.query, setting))
        return rows

    def score(self, question: Question, found: Sequence[Mapping[str, Any]]) -> Scores:
        """What an answer to a judged question is worth; of copies that share a key, the first one counts."""
        ranking: list[str] = []
        for document in found:
            name = _named(document, question.relevant)
            ranking.append(document["id"] if name in ranking else name)
        self._seen |= question.relevant.keys() & set(ranking)
        return scores(ranking, question.relevant, self._depth)

    def unknown(self) -> list[str]:
        """Names of judged documents that no answer held, and that nothing the caller may read is called by."""
        missed = {name for question in self._judged for name in question.relevant} - self._seen
        some = sorted(missed)[:_LOOKED_UP]
        return [name for name in some if not is_known(self._asked, name, self._collections)]

    def found(self, query: str, setting: Setting) -> list[dict[str, Any]]:
        """The documents that a search finds, best first."""
        body = {
            "query": query,
            "collections": self._collections or None,
            "limit": self._depth,
            "group_by": "document",
            "mode": setting.mode,
            "ranking": setting.ranking,
            "standby": setting.standby,
        }
        return [hit["document"] for hit in self._asked.muniment.post("/api/v1/search", body)["hits"]]


def _named(document: Mapping[str, Any], relevant: Mapping[str, float]) -> str:
    """The name by which the questions know a document, or its id."""
    names = (document["id"], document["key"], f"{document['collection']}/{document['key']}")
    return str(next((name for name in names if name in relevant), document["id"]))

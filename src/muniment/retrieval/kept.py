"""Answers that are kept until anything is written or anyone's rights move: nothing looks for what to forget."""

import re
import unicodedata
from collections import OrderedDict
from typing import NamedTuple

from prometheus_client import Counter

from muniment.kernel.caller import Caller
from muniment.retrieval.contract import Hit, Hits, Search

_QUESTION_BYTES, _HIT_BYTES, _NAME_BYTES = 2048, 4096, 100
"""What these weigh besides their texts; generous, since the bound is on memory."""

_asked = Counter("muniment_retrieval_cache", "Searches, by whether their answer was kept.", ["kept"])


class Marks(NamedTuple):
    """What the data was when an answer was worked out: of the documents room, and of the vectors room."""

    documents: str
    vectors: str


class Question(NamedTuple):
    """What an answer depends on besides the data: the request, the entitlement, and the epoch of both.

    The scopes as well: an admin sees every collection, and with a key of fewer scopes does not.
    """

    request: str
    tokens: frozenset[str]
    scopes: frozenset[str]
    withheld: frozenset[str]
    epoch: str


class KeptAnswers:
    """Answers by question and entitlement, all of the same marks, the latest used up to `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._marks: Marks | None = None
        self._answers: OrderedDict[Question, tuple[Hits, int]] = OrderedDict()
        self._bytes = 0

    @property
    def on(self) -> bool:
        """Whether anything is kept at all."""
        return self._most_bytes > 0

    def get(self, marks: Marks, question: Question) -> Hits | None:
        """The answer, if it was worked out under the same marks; all others are forgotten."""
        if marks != self._marks:
            self._marks = marks
            self._answers.clear()
            self._bytes = 0
        found = self._answers.get(question)
        _asked.labels(str(found is not None).lower()).inc()
        if found is None:
            return None
        self._answers.move_to_end(question)
        return found[0]

    def put(self, marks: Marks, question: Question, answer: Hits) -> None:
        """Keep an answer, unless something was written since the search began."""
        size = weight_of_question(question) + sum(map(_weight, answer.hits))
        if marks != self._marks or size > self._most_bytes // 8 or question in self._answers:
            return
        self._answers[question] = (answer, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, gone) = self._answers.popitem(last=False)
            self._bytes -= gone


def question(request: Search, who: Caller) -> Question:
    """The request as it is looked for, by whom."""
    asked = request.model_copy(update={"query": normalised(request.query)})
    return Question(asked.model_dump_json(), who.tokens, who.scopes, who.withheld, who.epoch)


def normalised(query: str) -> str:
    """The query as it is looked for: composed (NFC), white space as single blanks."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", query)).strip()


def weight_of_question(question: Question) -> int:
    """An answer without hits weighs something, too: anyone can ask for what is not there, in many ways."""
    names = len(question.tokens) + len(question.scopes) + len(question.withheld)
    return _QUESTION_BYTES + 2 * len(question.request) + _NAME_BYTES * names


def _weight(hit: Hit) -> int:
    return _HIT_BYTES + 2 * (len(hit.parent.text) + len(hit.chunk.text))

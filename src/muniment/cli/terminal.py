"""What the commands print: lines for people, JSON for programs, progress on a terminal."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from muniment.kernel.problems import Problem
from muniment.text.excerpt import excerpt

MEGABYTE = 1_000_000
EXCERPT = 300
"""How many characters of a passage a line shows."""

_UNSEEN = dict.fromkeys((*range(32), *range(127, 160)), "�") | dict.fromkeys(b"\t\n\r", " ")
"""Control characters would move the cursor or write into the terminal's title."""

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def plain(text: str, style: str = "") -> Text:
    """Text that others wrote, for a terminal: no markup in it, and no control characters."""
    return Text().append(_sound(text).translate(_UNSEEN), style)


def _sound(text: str) -> str:
    """Without the lone surrogates that stand for bytes in the name of a file."""
    return text.encode("utf-8", "replace").decode()


def print_json(answer: Any) -> None:
    """The API's own answer, as it came."""
    sys.stdout.write(_sound(json.dumps(answer, ensure_ascii=False, indent=2)) + "\n")
    sys.stdout.flush()


def complain(problem: Problem) -> None:
    """One line: what happened and what to do; then each field that did not fit."""
    err.print(plain("muniment: ", "bold red") + plain(problem.detail or problem.title))
    errors = problem.extra.get("errors")
    for error in errors[1:] if isinstance(errors, list) else ():
        if isinstance(error, dict):
            err.print(plain(f"  {error.get('field')}: {error.get('reason')}"))


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class _Count(MofNCompleteColumn):
    """How many of how many, once that is known."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total is not None else Text()


class Steps:
    """Progress of long work: a bar with rate and time left on a terminal, else one line for each step."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._tasks = progress, dict[str, Any]()
        self._totals: dict[str, int | None] = {}

    def show(self, step: str, done: int, total: int | None) -> None:
        """How far the step is."""
        if self._progress is None:
            if step not in self._tasks:
                self._tasks[step] = True
                err.print(f"{step} …")
            return
        if step not in self._tasks:
            # What was waited for is over once there is something else to show.
            for other in [other for other, known in self._totals.items() if known is None]:
                self._progress.remove_task(self._tasks.pop(other))
                del self._totals[other]
            self._tasks[step] = self._progress.add_task(step, total=total)
        self._totals[step] = total
        self._progress.update(self._tasks[step], completed=done, total=total)


@contextmanager
def steps(*, quiet: bool = False) -> Iterator[Steps]:
    """Progress on stderr, for the length of the context."""
    if quiet or not err.is_terminal:
        yield Steps(None) if not quiet else _Silence(None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), _Count(), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        yield Steps(progress)


def shown(step: str, done: int, total: int | None, unit: str) -> tuple[str, int, int | None]:
    """The step as `Steps.show` takes it: bytes in megabytes, and no bar for a single file."""
    if unit == "bytes":
        return f"{step} (MB)", -(-done // MEGABYTE), -(-total // MEGABYTE) if total else None
    return step, done, None if total == 1 else total


class _Silence(Steps):
    def show(self, step: str, done: int, total: int | None) -> None:
        pass


def footnote_line(footnote: Mapping[str, Any]) -> Text:
    """`[1] Title > Section, page 3: “the quoted words”`."""
    document = footnote["document"]
    line = plain(f"[{footnote['number']}] ", "cyan") + _place(document, footnote) + plain(": ")
    return line + plain(f"“{' '.join(footnote['quote'].split())}”", "italic")


def sentence_text(sentence: Mapping[str, Any]) -> Text:
    """A sentence with its marks; one that its sources do not bear out says so."""
    text = plain(sentence["text"])
    for number in sentence["footnotes"]:
        text += plain(f" [{number}]", "cyan")
    if sentence["verdict"] in {"unsupported", "partly", "unchecked"}:
        text += plain(f" ({sentence['verdict']})", "yellow")
    return text


def hit_lines(place: int, hit: Mapping[str, Any], query: str, *, several: bool = False) -> Iterator[Text]:
    """A passage found: where it stands, its score, what of it is nearest; its collection, too, among `several`."""
    document, chunk = hit["document"], hit["chunk"]
    if several:
        document = {**document, "key": f"{document['collection']}/{document['key']}"}
    yield plain(f"{place}. ", "cyan") + _place(document, chunk) + plain(f"  {hit['score']:.3f}")
    yield plain("   " + excerpt(chunk["text"], query, EXCERPT))


def _place(document: Mapping[str, Any], within: Mapping[str, Any]) -> Text:
    """`Title > Section, page 3 (key)`; the first heading and the key are left out where they repeat the title."""
    title = document["title"]
    parts = [title, *(part for part in within["section"][-2:] if part != title)]
    page = f", page {within['page']}" if within["page"] else ""
    key = f" ({document['key']})" if document["key"] != title else ""
    return plain(" > ".join(parts), "bold") + plain(page + key)

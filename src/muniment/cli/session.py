"""What a command that asks the server is given: the server, and where its answer goes."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property, wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import typer

from muniment.cli.connection import DataOption, JsonOption, ServerOption, connect
from muniment.cli.terminal import err, out, plain, print_json
from muniment.sdk import Muniment

PAGE = 500

Column = tuple[str, Callable[[Any], object]]
"""A heading, and what stands under it for an item."""


class Session:
    """One command's server, and whether its answer is for a program."""

    def __init__(self, server: str | None, data: Path | None, *, as_json: bool) -> None:
        self.as_json = as_json
        self._server, self._data, self._closing = server, data, ExitStack()

    @cached_property
    def muniment(self) -> Muniment:
        """The server, started where it must be when it is first asked: wrong usage starts none."""
        return self._closing.enter_context(connect(self._server, self._data))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, it: BaseException | None, at: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, it, at)

    def tell(self, answer: Any, text: str) -> None:
        """The API's own answer, or a line for people."""
        if self.as_json:
            print_json(answer)
        else:
            out.print(plain(text))

    def show(self, answer: Any, rows: Iterable[tuple[str, object]]) -> None:
        """One thing: its fields, those that are not set left out."""
        if self.as_json:
            print_json(answer)
            return
        shown = [(name, said(value)) for name, value in rows if value not in (None, (), [], {}, "")]
        wide = max((len(name) for name, _ in shown), default=0)
        for name, text in shown:
            out.print(plain(f"{name:<{wide}}  ", "dim") + plain(text))

    def list(self, path: str, columns: Sequence[Column], limit: int, **query: str | int | None) -> None:
        """Items of a list, at most `limit`, as a table; whether there are more is said."""
        items: list[Any] = []
        cursor: str | None = None
        while len(items) < limit:
            page = self.muniment.get(path, limit=min(PAGE, limit - len(items)), cursor=cursor, **query)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        if self.as_json:
            print_json({"items": items, "next_cursor": cursor})
            return
        table(items, columns)
        if cursor is not None:
            err.print(plain(f"there are more; --limit {2 * limit} shows the next, too", "dim"))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal; a script has made up its mind."""
        if not yes and not self.as_json and out.is_terminal:
            typer.confirm(question, abort=True)


def table(items: Sequence[Any], columns: Sequence[Column]) -> None:
    """Aligned columns under their headings; the last one runs on."""
    if not items:
        err.print("nothing there")
        return
    rows = [[name for name, _ in columns], *([said(value(item)) for _, value in columns] for item in items)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns) - 1)]
    for place, row in enumerate(rows):
        cells = [f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=False)]
        out.print(plain("  ".join([*cells, row[-1]]).rstrip(), "" if place else "bold"))


def said(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(said(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={said(part)}" for name, part in value.items())
    return str(value)


def moment(when: str | None) -> str:
    """A time to the second, as the API has it, in fewer characters."""
    return "" if when is None else when[:19].replace("T", " ")


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command that asks a server: it is given a Session, and has the options that choose one."""

    @wraps(command)
    def run(*, server: str | None, data: Path | None, as_json: bool, **given: Any) -> None:
        with Session(server, data, as_json=as_json) as asked:
            command(asked, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p.replace(kind=keyword) for p in list(inspect.signature(command).parameters.values())[1:]]
    chosen = (("server", None, ServerOption), ("data", None, DataOption), ("as_json", False, JsonOption))
    more = [inspect.Parameter(name, keyword, default=what, annotation=how) for name, what, how in chosen]
    # What the command line is made from, in place of what `wraps` left.
    vars(run)["__signature__"] = inspect.Signature([*own, *more])
    run.__annotations__ = {p.name: p.annotation for p in (*own, *more)}
    del vars(run)["__wrapped__"]
    return run

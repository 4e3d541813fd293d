"""JSON and JSON Lines: each record as lines that say `name: value`."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from muniment.documents.parsing.decoding import normal
from muniment.documents.parsing.model import Parsed
from muniment.documents.parsing.source import Source, too_much_text
from muniment.documents.parsing.structure import MOST_TITLE, Growing
from muniment.documents.shapes.problems import FileBroken, ParserLimit
from muniment.documents.shapes.span import SectionSpan

_NAMES = ("title", "name", "id", "key")
_SMALL = 2000
"""An object whose text is shorter is not parted by its keys."""

_MOST_SECTIONS = 5000
_SHARED = 2000
"""After so many sections, records share one until it has so many characters."""


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, strict=False)
"""Gives numbers as they are written."""


def parse_json(source: Source) -> Parsed:
    """A list by its elements; an object by its keys, when it is large.

    Raises NotText, FileBroken, ParserLimit.
    """
    try:
        value = _loads(source.text())
    except json.JSONDecodeError as broken:
        raise FileBroken(
            f"the JSON breaks off or is wrong at line {broken.lineno}, column {broken.colno}: {broken.msg}; "
            "mend it there and upload that"
        ) from broken
    records = _Records(source.limits.text_characters)
    if isinstance(value, list):
        records.add_list(value, ())
    elif isinstance(value, dict):
        records.add_object(value)
    else:
        records.add(value, ())
    return records.parsed("application/json", title=_name(value, ("title", "name")))


def parse_json_lines(source: Source) -> Parsed:
    """A record for each line; broken lines are counted, unless most are.

    Raises NotText, FileBroken, ParserLimit.
    """
    records = _Records(source.limits.text_characters)
    whole, broken, first = 0, 0, ""
    for number, line in enumerate(source.text().split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = _loads(line)
        except json.JSONDecodeError as fault:
            broken += 1
            first = first or f"line {number}, column {fault.colno}: {fault.msg}"
        else:
            records.add(record, (_name(record) or str(number),))
            whole += 1
    if broken > whole:
        raise FileBroken(
            f"{broken} of {broken + whole} lines are no JSON (the first: {first}); put one value on each line"
        )
    return records.parsed("application/jsonl", broken_lines=broken)


def _loads(text: str) -> Any:
    """The value, its numbers as they are written.

    Raises JSONDecodeError, ParserLimit.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as deep:
        raise ParserLimit(
            "the JSON is nested too deep to be read; flatten it and upload that", limit="nesting"
        ) from deep


class _Records:
    """The text, growing record by record, and the sections that they stand in."""

    def __init__(self, most_characters: int) -> None:
        self._most = most_characters
        self._growing = Growing(most_characters)
        self._sections: list[tuple[int, tuple[str, ...]]] = []

    def parsed(self, media_type: str, *, title: str | None = None, broken_lines: int = 0) -> Parsed:
        ends = [*self._sections, (self._growing.length, ())]
        return Parsed(
            text=self._growing.text,
            media_type=media_type,
            title=title,
            sections=tuple(SectionSpan(start=a[0], end=b[0], path=a[1]) for a, b in pairwise(ends)),
            metadata={"broken_lines": broken_lines} if broken_lines else {},
            blocks=tuple(self._growing.blocks),
        )

    def add(self, value: object, path: tuple[str, ...]) -> None:
        """A block, in a section of its own when it has a path."""
        self._add("\n".join(self._lines(value)), path)

    def add_list(self, values: list[Any], path: tuple[str, ...]) -> None:
        """Its elements, each by its name or number."""
        if _is_simple(values):
            self._add("\n".join(f"- {_scalar(value)}" for value in values), path)
            return
        for number, value in enumerate(values, 1):
            self.add(value, (*path, _name(value) or str(number)))

    def add_object(self, value: dict[str, Any]) -> None:
        """As one block when it is small; else what it says itself, then each of its parts."""
        lines = self._lines(value)
        if sum(map(len, lines)) <= _SMALL:
            self._add("\n".join(lines), ())
            return
        parts = {key: part for key, part in value.items() if isinstance(part, dict | list) and part}
        self.add({key: inner for key, inner in value.items() if key not in parts}, ())
        for key, part in parts.items():
            if isinstance(part, list) and any(isinstance(item, dict) for item in part):
                self.add_list(part, (_short(key),))
            else:
                self.add(part, (_short(key),))

    def _add(self, text: str, path: tuple[str, ...]) -> None:
        text = normal(text)
        if len(self._sections) >= _MOST_SECTIONS and text.strip():
            start, above = self._sections[-1]
            if above[:-1] == path[:-1] and path and self._growing.length - start < _SHARED:
                self._growing.extend(text.strip(), "\n\n")
                return
        self._add_block(text, path)

    def _add_block(self, text: str, path: tuple[str, ...]) -> None:
        blocks = len(self._growing.blocks)
        self._growing.add("paragraph", text)
        if len(self._growing.blocks) > blocks and (path or self._sections):
            self._sections.append((self._growing.blocks[-1].start, path))

    def _lines(self, value: object) -> list[str]:
        if isinstance(value, dict) and _is_simple(value.values()):
            return [f"{name}: {said}" for name, inner in value.items() if (said := _scalar(inner))]
        lines: list[str] = []
        room = self._most
        for line in _said("", value):
            room -= len(line)
            if room < 0:
                raise too_much_text(self._most)
            lines.append(line)
        return lines


def _said(path: str, value: object) -> Iterator[str]:
    """The value's lines, nested names joined by dots; without recursion, for files nest as they like."""
    waiting: list[tuple[str, object]] = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
            waiting += reversed(inner)
        elif isinstance(value, list) and not _is_simple(value):
            waiting += [(f"{path}[{at}]", value[at]) for at in range(len(value) - 1, -1, -1)]
        else:
            said = ", ".join(map(_scalar, value)) if isinstance(value, list) else _scalar(value)
            if said:
                yield f"{path}: {said}" if path else said


def _is_simple(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _scalar(value: object) -> str:
    """A simple value as it is written; nothing for null and empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).strip()


def _name(value: object, names: tuple[str, ...] = _NAMES) -> str | None:
    """What a record calls itself."""
    said = (value.get(name) for name in names) if isinstance(value, dict) else ()
    return next((_short(str(name)) for name in said if isinstance(name, str) and name.strip()), None)


def _short(name: str) -> str:
    return " ".join(normal(name).split())[:MOST_TITLE]

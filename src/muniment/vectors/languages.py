"""The languages that a query is read in: those of the passages that it may find."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TypeVar

from muniment.text.terms import primary
from muniment.vectors.contract import AnyOf, Filter, Payload
from muniment.vectors.engine.engine import Engine

K = TypeVar("K")
V = TypeVar("V")

_MOST = 4096
"""Filters that are remembered."""

_ENGLISH = "en"
"""In which passages of no known language are taken apart."""


class LanguagesInUse:
    """Follows the writes of this room; what a filter lets through is counted until there is some of a language.

    So that no score depends on passages that stay hidden, their languages do not count. A language that has gone
    may be asked for still.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told: dict[str, frozenset[str]] = {}
        self._written: defaultdict[str, set[str]] = defaultdict(set)
        self._found: dict[bytes, frozenset[str]] = {}
        self._missed: dict[tuple[bytes, str], str] = {}

    def note(self, index: str, payloads: Iterable[Payload]) -> None:
        """What is about to be written; to be called before the engine is."""
        self._written[index].update(str(said) for payload in payloads if (said := payload.get("language")))

    async def among(self, index: str, readable: Filter, named: Sequence[str]) -> tuple[str, ...]:
        """`named`, English if there are none, and the languages of what the filter lets through.

        Raises IndexMissing.
        """
        first = tuple(dict.fromkeys(map(primary, named))) or (_ENGLISH,)
        if not readable:
            return first
        if (mark := self._engine.mark()) is None:
            there = frozenset(await self._engine.tally(index, "language", readable))
        else:
            if index not in self._told:
                self._told[index] = frozenset(await self._engine.tally(index, "language", ()))
            there = await self._seen(index, readable, mark, (self._told[index] | self._written[index]) - {*first})
        return (*first, *sorted({*map(primary, there)} - {*first}))

    async def _seen(self, index: str, readable: Filter, mark: str, languages: frozenset[str]) -> frozenset[str]:
        """Those of the languages that the filter lets through."""
        if not languages:
            return frozenset()
        key = _short(index, readable)
        found = self._found.get(key, frozenset())
        for language in sorted(languages - found):
            missed = (key, language)
            if self._missed.get(missed) == mark:
                continue
            if await self._engine.count(index, (*readable, AnyOf(field="language", values=(language,)))):
                found |= {language}
                _remember(self._found, key, found)
            else:
                _remember(self._missed, missed, mark)
        return found


def _short(index: str, readable: Filter) -> bytes:
    """What stands for both in memory: a filter may name the thousand tokens of a reader."""
    said = "\n".join((index, *(condition.model_dump_json() for condition in readable)))
    return blake2b(said.encode(), digest_size=16).digest()


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= _MOST and key not in known:
        del known[next(iter(known))]
    known[key] = value

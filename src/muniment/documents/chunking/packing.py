"""Which atoms make a chunk, and which chunks a parent: pure functions over token counts."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from muniment.documents.chunking.atoms import MOST_CHARACTERS, Atom

Count = Callable[[int, int], int]
Bounds = Callable[[int], tuple[int, int]]
"""The tokens that a run beginning at a place should hold at most, and those that it may hold."""

FEWEST_TOKENS = 25
_WITHIN_BLOCK = 0.3
_WITHIN_PARAGRAPH = 0.4
_WITHIN_SENTENCE = 0.8
_TINY_REST = 1.0
_EARLIEST = 0.5


def pack(atoms: Sequence[Atom], count: Count, bounds: Bounds) -> Iterator[Sequence[Atom]]:
    """Runs of atoms of nearly equal size, ended between blocks rather than within one.

    A last piece too small to stand alone stays with its chunk while that may hold it.
    """
    at = 0
    while at < len(atoms):
        most_tokens, hard_tokens = bounds(atoms[at].start)
        rest = count(atoms[at].start, atoms[-1].end)
        length = atoms[-1].end - atoms[at].start
        if rest <= min(hard_tokens, most_tokens + FEWEST_TOKENS) and length <= MOST_CHARACTERS:
            yield atoms[at:]
            return
        stop = _stop(atoms, at, count, most_tokens, rest)
        yield atoms[at:stop]
        at = stop


def _stop(atoms: Sequence[Atom], at: int, count: Count, most_tokens: int, rest: int) -> int:
    """Where the chunk that begins with atom `at` ends best."""
    aim = max(rest, 1) / max(math.ceil(rest / most_tokens), 1)
    best, lowest = at + 1, math.inf
    for stop in range(at + 1, len(atoms) + 1):
        tokens = count(atoms[at].start, atoms[stop - 1].end)
        length = atoms[stop - 1].end - atoms[at].start
        if stop > at + 1 and (tokens > most_tokens or length > MOST_CHARACTERS):
            break
        if tokens < aim * _EARLIEST and stop < len(atoms):
            best = stop if lowest == math.inf else best
            continue
        cost = abs(tokens - aim) / aim + _cost_of_cut(atoms, stop)
        if 0 < rest - tokens < FEWEST_TOKENS:
            cost += _TINY_REST
        if cost <= lowest:
            best, lowest = stop, cost
    # A heading goes with what follows it.
    while best - 1 > at and best < len(atoms) and atoms[best - 1].kind == "header":
        best -= 1
    return best


def _cost_of_cut(atoms: Sequence[Atom], stop: int) -> float:
    if stop == len(atoms) or atoms[stop].leads:
        return 0.0
    if not atoms[stop - 1].ends:
        return _WITHIN_SENTENCE
    return _WITHIN_PARAGRAPH if atoms[stop].kind == "body" else _WITHIN_BLOCK


class Unit(NamedTuple):
    """A chunk that is to have a parent. `shared`: the headings that it has in common with the chunk before it.

    `begins`: false where a sentence of the chunk before it goes on.
    """

    start: int
    end: int
    shared: int
    begins: bool


def group(
    units: Sequence[Unit], count: Count, most_tokens: int, most_characters: int
) -> Iterator[tuple[int, int]]:
    """Runs [first, stop) of units up to `most_tokens`, ended where the next shares least of the section path.

    A run ends within a sentence only where that sentence alone would make it twice as large.
    """
    at = 0
    while at < len(units):
        best, fewest = 0, math.inf
        for stop in range(at + 1, len(units) + 1):
            start, end = units[at].start, units[stop - 1].end
            tokens, length = count(start, end), end - start
            is_full = tokens > most_tokens or length > most_characters
            if stop > at + 1 and is_full and (best or tokens > 2 * most_tokens or length > 2 * most_characters):
                break
            following = units[stop] if stop < len(units) else None
            if following is not None and not following.begins:
                continue
            shared = -1 if following is None else following.shared
            if tokens < most_tokens / 2:
                best = stop
            elif shared <= fewest:
                best, fewest = stop, shared
            if is_full:
                break
        best = best or _fullest(units, at, count, most_tokens, most_characters)
        yield at, best
        at = best


def _fullest(units: Sequence[Unit], at: int, count: Count, most_tokens: int, most_characters: int) -> int:
    """Where a run ends that no sentence's end is found for."""
    stop = at + 1
    while stop < len(units):
        start, end = units[at].start, units[stop].end
        if count(start, end) > most_tokens or end - start > most_characters:
            break
        stop += 1
    return stop

"""From a parsed text to chunks and parents."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from tokenizers import Tokenizer

from muniment.documents.chunking.atoms import Atom, Sizes, atoms, trimmed, word_cut
from muniment.documents.chunking.headers import Headers
from muniment.documents.chunking.packing import FEWEST_TOKENS, Unit, group, pack
from muniment.documents.chunking.recipe import PARENT_TOKENS, RECIPE, Recipe, embedded_text
from muniment.documents.chunking.tokens import TokenIndex
from muniment.documents.parsing.model import Block, Chunk, Chunked, Parent, Parsed
from muniment.documents.shapes.span import ChunkKind, SectionSpan

SMALLEST_WINDOW = 128
_PARENT_CHARACTERS = 16_000
_FEWEST_FOR_TEXT = 24
_SURE_TOKENS = 16
_MAIN_SHARE = 0.6
_SEPARATORS = " \n\t\u00a0\u3000"
"""What every tokenizer parts words at; some drop other white space, and so join what stands around it."""


class _Model(NamedTuple):
    """What binds a chunk: the size it should have, the model's limit, and what each section path leaves of it."""

    title: str
    target: int
    max_tokens: int
    rooms: Mapping[tuple[str, ...], int]


class _Draft(NamedTuple):
    """A chunk before it is numbered. `ends`: no sentence of it goes on in the next one."""

    start: int
    end: int
    kind: ChunkKind
    section: tuple[str, ...]
    header: str
    ends: bool


class _Group(NamedTuple):
    """The atoms of one section, and its room for text in tokens."""

    atoms: list[Atom]
    section: tuple[str, ...]
    room: int


def chunk(
    parsed: Parsed, *, title: str, tokenizer: Tokenizer, max_tokens: int, recipe: Recipe = RECIPE
) -> Chunked:
    """Chunks that cover all of the text that is not white, each within `max_tokens` as it is embedded."""
    if max_tokens < SMALLEST_WINDOW:
        raise ValueError(f"a model that reads {max_tokens} tokens is too small for a title and a passage")
    parsed = parsed.model_copy(update={"sections": tuple(parsed.sections)})  # looked at here and there
    blocks = _covering(parsed.text, parsed.blocks)
    index = TokenIndex(tokenizer, parsed.text, [block.start for block in blocks])
    limits = (recipe.target_tokens, max_tokens)
    model = _Model(title, *limits, _rooms(index, title, parsed.sections, max_tokens))
    headers = Headers(parsed.text, blocks, title, index)
    drafts: list[_Draft] = []
    for part in _joined(_groups(parsed, blocks, index, model, headers), index, model):
        bounds = partial(headers.bounds, room=part.room, target=model.target)
        for run in pack(part.atoms, index.count, bounds):
            start, end = run[0].start, run[-1].end
            header = headers.over(start, part.room)
            fits = index.count(start, end) + header.tokens <= part.room
            over = header.text if fits else ""
            drafts.append(_Draft(start, end, _kind(run, index), part.section, over, run[-1].ends))
    drafts = _within(parsed.text, drafts, index, model)
    return _numbered(parsed, drafts, index)


def _covering(text: str, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, and paragraphs where text lies between them."""
    covering, done = [], 0
    for block in [*blocks, Block(kind="paragraph", start=len(text), end=len(text))]:
        start, end = trimmed(text, done, block.start)
        if start < end:
            covering.append(Block(kind="paragraph", start=start, end=end))
        if block.start < block.end:
            covering.append(block)
        done = block.end
    return covering


def _groups(
    parsed: Parsed, blocks: Sequence[Block], index: TokenIndex, model: _Model, headers: Headers
) -> Iterator[_Group]:
    """The atoms section by section; a section that is only headings goes with what follows it."""
    waiting: list[Atom] = []
    path: tuple[str, ...] = ()
    for section, members in _by_section(parsed.sections, blocks):
        # For small models a path of unusual headings gives way: what is said counts more than where.
        path = section if model.rooms[section] >= _FEWEST_FOR_TEXT else ()
        room = max(model.rooms[path], 1)
        most = min(model.target, room)
        found: list[Atom] = []
        for block in members:
            cut, sentence = headers.bounds(block.end - 1, room, model.target)
            found += atoms(parsed.text, block, index, Sizes(most, sentence, cut))
        headings = [*waiting, *found] if all(atom.kind == "header" for atom in found) else []
        if headings and index.count(headings[0].start, headings[-1].end) <= most // 2:
            waiting = headings
            continue
        yield _Group([*waiting, *found], path, room)
        waiting = []
    if waiting:
        yield _Group(waiting, path, max(model.rooms[path], 1))


def _by_section(
    sections: Sequence[SectionSpan], blocks: Sequence[Block]
) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    starts = [section.start for section in sections]
    members: list[Block] = []
    current = -1
    for block in blocks:
        at = bisect_right(starts, block.start) - 1
        if at != current and members:
            yield (sections[current].path if current >= 0 else ()), members
            members = []
        current = at
        members.append(block)
    if members:
        yield (sections[current].path if current >= 0 else ()), members


def _joined(groups: Iterable[_Group], index: TokenIndex, model: _Model) -> Iterator[_Group]:
    """Sections that are only a few words go with their neighbours, under the headings that these share."""
    last: _Group | None = None
    for part in groups:
        joined = None if last is None else _as_one(last, part, index, model)
        if last is not None and joined is None:
            yield last
        last = joined or part
    if last is not None:
        yield last


def _as_one(one: _Group, other: _Group, index: TokenIndex, model: _Model) -> _Group | None:
    """Both as one group, if either is tiny, they are neighbours of one heading, and fit into one chunk."""
    path = one.section[: _shared(one.section, other.section)]
    above = {path, path + one.section[len(path) :][:1], path + other.section[len(path) :][:1]}
    sizes = [index.count(part.atoms[0].start, part.atoms[-1].end) for part in (one, other)]
    if min(sizes) >= FEWEST_TOKENS or not {one.section, other.section} <= above:
        return None
    whole = index.count(one.atoms[0].start, other.atoms[-1].end)
    room = max(model.rooms[path], 1)
    return _Group([*one.atoms, *other.atoms], path, room) if whole <= min(model.target, room) else None


def _rooms(
    index: TokenIndex, title: str, sections: Sequence[SectionSpan], max_tokens: int
) -> Mapping[tuple[str, ...], int]:
    """How many tokens are left for text under each section path, under what these share, and under none."""
    paths = list(
        {section.path[:depth]: None for section in sections for depth in range(len(section.path) + 1)} | {(): None}
    )
    lengths = index.lengths([embedded_text(title, path, "") for path in paths])
    return {path: max_tokens - length for path, length in zip(paths, lengths, strict=True)}


def _kind(run: Sequence[Atom], index: TokenIndex) -> ChunkKind:
    """The kind of most of the text, headings aside; body where none prevails."""
    shares: Counter[ChunkKind] = Counter()
    for atom in run:
        if atom.kind != "header":
            shares[atom.kind] += index.count(atom.start, atom.end) + 1
    if not shares:
        return "header"
    kind, tokens = shares.most_common(1)[0]
    return kind if tokens >= _MAIN_SHARE * shares.total() else "body"


def _within(text: str, drafts: Sequence[_Draft], index: TokenIndex, model: _Model) -> list[_Draft]:
    """The drafts, halved until they fit: counted as embedded wherever cutting may change their tokens."""
    done: list[_Draft] = []
    doubtful: list[_Draft] = []
    for draft in drafts:
        tokens = index.count(draft.start, draft.end)
        is_sure = not draft.header and tokens + _SURE_TOKENS <= model.rooms[draft.section]
        (done if is_sure and not _is_risky(text, draft) else doubtful).append(draft)
    while doubtful:
        said = [embedded_text(model.title, d.section, text[d.start : d.end], d.header) for d in doubtful]
        halved = []
        for draft, tokens in zip(doubtful, index.lengths(said), strict=True):
            if tokens <= model.max_tokens:
                done.append(draft)
            elif draft.header:
                halved.append(draft._replace(header=""))
            elif draft.end - draft.start == 1:
                done.append(draft)
            else:
                halved += _halves(text, draft)
        doubtful = halved
    return sorted(done)


def _is_risky(text: str, draft: _Draft) -> bool:
    """Whether the chunk's tokens may be others than those of its place in the text."""
    before = text[draft.start - 1] if draft.start else " "
    after = text[draft.end] if draft.end < len(text) else " "
    return before not in _SEPARATORS or after not in _SEPARATORS


def _halves(text: str, draft: _Draft) -> list[_Draft]:
    middle = (draft.start + draft.end + 1) // 2
    cut = word_cut(text, draft.start, middle)
    first, last = trimmed(text, draft.start, cut), trimmed(text, cut, draft.end)
    parts = [(first, False), (last, draft.ends)]
    return [draft._replace(start=a, end=b, ends=ends) for (a, b), ends in parts if a < b]


def _numbered(parsed: Parsed, drafts: Sequence[_Draft], index: TokenIndex) -> Chunked:
    pages = [page.start for page in parsed.pages]
    units = [Unit(d.start, d.end, 0, begins=True) for d in drafts[:1]]
    units += [Unit(d.start, d.end, _shared(c.section, d.section), c.ends) for c, d in pairwise(drafts)]
    chunks: list[Chunk] = []
    parents: list[Parent] = []
    for first, stop in group(units, index.count, PARENT_TOKENS, _PARENT_CHARACTERS):
        parents.append(Parent(index=len(parents), start=units[first].start, end=units[stop - 1].end))
        for draft in drafts[first:stop]:
            page = bisect_right(pages, draft.start) - 1
            chunks.append(
                Chunk(
                    index=len(chunks),
                    start=draft.start,
                    end=draft.end,
                    page=parsed.pages[page].number if page >= 0 else None,
                    section=draft.section,
                    kind=draft.kind,
                    parent=len(parents) - 1,
                    header=draft.header,
                )
            )
    return Chunked(parents=tuple(parents), chunks=tuple(chunks))


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many headings two paths have in common."""
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    return common

"""From a parsed text to chunks and parents."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from tokenizers import Tokenizer

from muniment.documents.chunking.atoms import Atom, atoms, trimmed, word_cut
from muniment.documents.chunking.headers import Headers
from muniment.documents.chunking.packing import group, pack
from muniment.documents.chunking.recipe import PARENT_TOKENS, TARGET_TOKENS, embedded_text
from muniment.documents.chunking.tokens import TokenIndex
from muniment.documents.contract import ChunkKind, SectionSpan
from muniment.documents.parsing.model import Block, Chunk, Chunked, Parent, Parsed

SMALLEST_WINDOW = 128
_PARENT_CHARACTERS = 16_000
_FEWEST_FOR_TEXT = 24
_SURE_TOKENS = 16
_MAIN_SHARE = 0.6
_SEPARATORS = " \n\t\u00a0\u3000"
"""What every tokenizer parts words at; some drop other white space, and so join what stands around it."""


class _Model(NamedTuple):
    """What the embedding model sets: its limit, and how many tokens each section path leaves for text."""

    title: str
    max_tokens: int
    rooms: Mapping[tuple[str, ...], int]


class _Draft(NamedTuple):
    """A chunk before it is numbered."""

    start: int
    end: int
    kind: ChunkKind
    section: tuple[str, ...]
    header: str = ""


class _Group(NamedTuple):
    """The atoms of one section, and its room for text in tokens."""

    atoms: list[Atom]
    section: tuple[str, ...]
    room: int


def chunk(parsed: Parsed, *, title: str, tokenizer: Tokenizer, max_tokens: int) -> Chunked:
    """Chunks that cover all of the text that is not white, each within `max_tokens` as it is embedded."""
    if max_tokens < SMALLEST_WINDOW:
        raise ValueError(f"a model that reads {max_tokens} tokens is too small for a title and a passage")
    blocks = _covering(parsed.text, parsed.blocks)
    index = TokenIndex(tokenizer, parsed.text, [block.start for block in blocks])
    model = _model(index, title, parsed.sections, max_tokens)
    headers = Headers(parsed.text, blocks, title, index)
    drafts: list[_Draft] = []
    for part in _groups(parsed, blocks, index, model, headers):
        for run in pack(part.atoms, index.count, partial(headers.bounds, room=part.room)):
            start, end = run[0].start, run[-1].end
            header = headers.over(start, part.room)
            fits = index.count(start, end) + header.tokens <= part.room
            drafts.append(_Draft(start, end, _kind(run, index), part.section, header.text if fits else ""))
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
        most = min(TARGET_TOKENS, room)
        found: list[Atom] = []
        for block in members:
            cut, _ = headers.bounds(block.end - 1, room)
            found += atoms(parsed.text, block, index, most, cut)
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


def _model(index: TokenIndex, title: str, sections: Sequence[SectionSpan], max_tokens: int) -> _Model:
    """The model, with the room under each section path and under none."""
    paths = list({section.path: None for section in sections} | {(): None})
    lengths = index.lengths([embedded_text(title, path, "") for path in paths])
    rooms = {path: max_tokens - length for path, length in zip(paths, lengths, strict=True)}
    return _Model(title, max_tokens, rooms)


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
    spans = (trimmed(text, draft.start, cut), trimmed(text, cut, draft.end))
    return [draft._replace(start=start, end=end) for start, end in spans if start < end]


def _numbered(parsed: Parsed, drafts: Sequence[_Draft], index: TokenIndex) -> Chunked:
    pages = [page.start for page in parsed.pages]
    shared = [0, *(_shared(a.section, b.section) for a, b in pairwise(drafts))]
    spans = [(draft.start, draft.end) for draft in drafts]
    chunks: list[Chunk] = []
    parents: list[Parent] = []
    for first, stop in group(spans, shared, index.count, PARENT_TOKENS, _PARENT_CHARACTERS):
        parents.append(Parent(index=len(parents), start=spans[first][0], end=spans[stop - 1][1]))
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

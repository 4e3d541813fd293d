"""How many of a model's tokens lie in any span of a text, without counting twice."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from tokenizers import Tokenizer

_PIECE_CHARACTERS = 16_384
_BATCH = 256


class TokenIndex:
    """The start of every token of a text, which is tokenized once.

    Tokens at a span's edges may differ when the span stands alone and its edge is within a word.
    """

    def __init__(self, tokenizer: Tokenizer, text: str, cuts: Sequence[int]) -> None:
        """`cuts`: ascending offsets at which the text may be cut for tokenizing."""
        self._tokenizer = tokenizer
        self._starts = array("I")
        pieces = _pieces(text, cuts)
        for at in range(0, len(pieces), _BATCH):
            batch = pieces[at : at + _BATCH]
            encoded = tokenizer.encode_batch([text[a:b] for a, b in batch], add_special_tokens=False)
            for (start, _), encoding in zip(batch, encoded, strict=True):
                self._starts.extend(sorted(start + token[0] for token in encoding.offsets))

    def count(self, start: int, end: int) -> int:
        """Tokens that begin in [start, end)."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def reach(self, start: int, tokens: int) -> int | None:
        """The offset before which `tokens` tokens begin from `start` on; None where fewer are left."""
        at = bisect_left(self._starts, start) + tokens
        return self._starts[at] if at < len(self._starts) else None

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """The tokens of texts as a model takes them, its special ones included."""
        found: list[int] = []
        for at in range(0, len(texts), _BATCH):
            found += [len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(texts[at : at + _BATCH])]
        return found


def _pieces(text: str, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """The whole text in pieces small enough that a batch of them stays small, cut between words where possible."""
    edges = [0, *(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    pieces = []
    for start, end in pairwise(edges):
        while end - start > _PIECE_CHARACTERS:
            cut = max(text.rfind(" ", start + 1, start + _PIECE_CHARACTERS), start + _PIECE_CHARACTERS // 2)
            pieces.append((start, cut))
            start = cut  # noqa: PLW2901 - what is left of the piece
        if end > start:
            pieces.append((start, end))
    return pieces

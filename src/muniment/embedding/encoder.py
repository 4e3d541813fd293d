"""An embedding model in memory: its tokenizer and its graph. Blocking; called from threads."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from muniment.embedding.batching import Ids, padded
from muniment.embedding.session import Parts, open_session, open_tokenizer, running
from muniment.kernel.model import Matrix


class Encoder:
    """Texts to token ids, and token ids to vectors. A prefix stands before each query, or passage."""

    def __init__(
        self, tokenizer: Any, session: Any, max_tokens: int, *, query_prefix: str = "", passage_prefix: str = ""
    ) -> None:
        self.max_tokens = max_tokens
        self.query_prefix, self.passage_prefix = query_prefix, passage_prefix
        self._tokenizer, self._session = tokenizer, session
        marked = tokenizer.encode("a")
        words = [place for place, special in enumerate(marked.special_tokens_mask) if not special]
        self._before: list[int] = marked.ids[: words[0]] if words else []
        self._after: list[int] = marked.ids[words[-1] + 1 :] if words else []
        # A tokenizer may join the prefix's last blank to the word behind it.
        self.query_head: list[int] = self.words([query_prefix.rstrip()])[0] if query_prefix else []

    @classmethod
    def load(
        cls, parts: Parts, *, max_tokens: int, threads: int, query_prefix: str = "", passage_prefix: str = ""
    ) -> "Encoder":
        """The model from its files.

        Raises ModelBroken when they cannot be read.
        """
        session = open_session(parts.graph, threads)
        tokenizer = open_tokenizer(parts.tokenizer)
        return cls(tokenizer, session, max_tokens, query_prefix=query_prefix, passage_prefix=passage_prefix)

    @property
    def window_tokens(self) -> int:
        """How many tokens of a text fit beside the special ones."""
        return self.max_tokens - len(self._before) - len(self._after)

    def words(self, texts: Sequence[str], prefix: str = "") -> list[list[int]]:
        """Each text's token ids behind the prefix's, without special tokens."""
        wanted = [prefix + text for text in texts] if prefix else texts
        return [found.ids for found in self._tokenizer.encode_batch_fast(wanted, add_special_tokens=False)]

    def marked(self, words: Ids) -> list[int]:
        """The ids between the special tokens; never none at all, since nothing has no direction."""
        return [*self._before, *words, *self._after] or [0]

    def vectors(self, texts: Sequence[Ids]) -> Matrix:
        """A unit-length row for each.

        Raises ModelBroken when the graph refuses them.
        """
        with running("the model cannot read a text"):
            (rows,) = self._session.run(None, padded(texts))
        return np.asarray(rows, np.float32)

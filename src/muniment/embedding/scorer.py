"""A cross-encoder in memory: query and passage together in, one number out. Blocking; called from threads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from muniment.embedding.batching import Ids, padded
from muniment.embedding.session import Parts, open_session, open_tokenizer, running


class Pair(NamedTuple):
    """Query and passage as the model reads them; `kinds` tells one from the other."""

    ids: Ids
    kinds: Ids


class Scorer:
    """Pairs to scores."""

    def __init__(self, tokenizer: Any, session: Any) -> None:
        self._tokenizer, self._session = tokenizer, session

    @classmethod
    def load(cls, parts: Parts, *, max_tokens: int, threads: int) -> "Scorer":
        """The model from its files.

        Raises ModelBroken when they cannot be read.
        """
        session, tokenizer = open_session(parts.graph, threads), open_tokenizer(parts.tokenizer)
        # What is judged is how well it fits, not what is shown: a cut passage misleads nobody.
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        return cls(tokenizer, session)

    def pairs(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """The query with each passage, within the model's limit."""
        found = self._tokenizer.encode_batch([(query, passage) for passage in passages])
        return [Pair(pair.ids or [0], pair.type_ids or [0]) for pair in found]

    def scores(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """A number for each.

        Raises ModelBroken when the graph refuses them.
        """
        feed = padded([pair.ids for pair in pairs])
        kinds = padded([pair.kinds for pair in pairs])["ids"]
        with running("the reranker cannot read a passage"):
            (numbers,) = self._session.run(None, feed | {"kinds": kinds})
        return np.asarray(numbers, np.float32)

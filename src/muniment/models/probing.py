"""What a wrapped graph really does, found by running it on a few texts. In the child process that builds only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states
from tokenizers import Tokenizer

from muniment.models.contract import GRAPH_REFUSALS, ModelBroken
from muniment.models.layout import Declared

REFUSALS = tuple(getattr(states, kind) for kind in GRAPH_REFUSALS)

TEXTS = (
    "Who may read the plans of the house by the river?",
    "a",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht gekündigt wird.",
    "合同自动续约一年。",
    "Договор продлевается на один год. " * 3,
)
_LEAST_ALIKE = 0.98
"""Of a text alone and in a batch: 8-bit graphs with one scale for a tensor differ this much, others not at all."""
_MOST_PROBED_TOKENS = 1024
Feed = dict[str, NDArray[np.int64]]


class Found(NamedTuple):
    """What the graph gives; `prefix_tokens` are those of the longest prefix of passages."""

    dimensions: int
    prefix_tokens: int


def probe(graph: Path, tokenizer: bytes, declared: Declared) -> Found:
    """Run the model.

    Raises ModelBroken when it does not do what an encoder, or a cross-encoder, must.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Its answer is what is asked for here, not its speed; and other processes want the machine.
    options.intra_op_num_threads = 2
    reader = Tokenizer.from_str(tokenizer.decode(errors="replace"))
    reader.no_truncation()
    reader.no_padding()
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        if declared.kind == "reranker":
            _probe_pairs(session, reader, declared)
            return Found(1, 0)
        return _probe_texts(session, reader, declared)
    except REFUSALS as broken:
        raise ModelBroken(f"the graph cannot be run: {str(broken)[:400]}") from broken


def _probe_texts(session: Any, reader: Tokenizer, declared: Declared) -> Found:
    rows = [reader.encode(text).ids for text in TEXTS]
    longest = _stretched(max(rows, key=len), declared.max_tokens)
    texts = [ids[: len(longest)] or [0] for ids in rows]
    together = _run(session, _feed(texts))
    if together.ndim != 2 or len(together) != len(texts):  # noqa: PLR2004 - [batch, dimensions]
        raise ModelBroken(f"the graph gives {together.shape} for {len(texts)} texts, not a vector for each")
    alone = np.concatenate([_run(session, _feed([text])) for text in texts])
    for found in (together, alone, _run(session, _feed([longest]))):
        lengths = np.linalg.norm(found, axis=1)
        if not np.isfinite(found).all() or (np.abs(lengths - 1) > 1e-3).any():  # noqa: PLR2004 - of float16
            raise ModelBroken("the graph gives vectors that are not numbers, or nothing at all")
    if ((together * alone).sum(1) < _LEAST_ALIKE).any():
        raise ModelBroken("a text's vector changes with the batch that it is in: the graph ignores its mask")
    if np.abs(together[0] - together[2]).max() < 1e-6:  # noqa: PLR2004 - the same for any text
        raise ModelBroken("the graph gives one vector for different texts")
    prefix = reader.encode(declared.passage_prefix, add_special_tokens=False).ids
    if len(prefix) * 2 > declared.max_tokens:
        raise ModelBroken(f"the prefix has {len(prefix)} tokens, more than half of what the model reads")
    return Found(together.shape[1], len(prefix))


def _probe_pairs(session: Any, reader: Tokenizer, declared: Declared) -> None:
    pairs = [reader.encode(TEXTS[0], text) for text in TEXTS]
    most = min(declared.max_tokens, _MOST_PROBED_TOKENS)
    ids, kinds = [pair.ids[:most] for pair in pairs], [pair.type_ids[:most] for pair in pairs]
    scores = _run(session, _feed(ids, kinds))
    if scores.shape != (len(TEXTS),):
        raise ModelBroken(f"the graph gives {scores.size} numbers for {len(TEXTS)} pairs; one for each is needed")
    if not np.isfinite(scores).all():
        raise ModelBroken("the graph gives scores that are not numbers")
    alone = np.concatenate([_run(session, _feed([i], [k])) for i, k in zip(ids, kinds, strict=True)])
    if np.abs(scores - alone).max() > max(0.05, 0.1 * float(np.ptp(scores))):
        raise ModelBroken("a pair's score changes with the batch that it is in: the graph ignores its mask")
    _run(session, _feed([_stretched(ids[-1], most)], [_stretched(kinds[-1], most)]))


def _stretched(ids: Sequence[int], most: int) -> list[int]:
    """As many tokens as the model says that it reads, within reason."""
    wanted = min(most, _MOST_PROBED_TOKENS)
    return (list(ids) * (wanted // max(1, len(ids)) + 1))[:wanted] or [0]


def _feed(texts: Sequence[Sequence[int]], kinds: Sequence[Sequence[int]] | None = None) -> Feed:
    longest = max(map(len, texts))
    arrays = {name: np.zeros((len(texts), longest), np.int64) for name in ("ids", "mask", "kinds")}
    for row, text in enumerate(texts):
        arrays["ids"][row, : len(text)] = text
        arrays["mask"][row, : len(text)] = 1
        if kinds is not None:
            arrays["kinds"][row, : len(text)] = kinds[row]
    if kinds is None:
        del arrays["kinds"]
    return arrays | {"positions": np.arange(longest)}


def _run(session: Any, feed: Feed) -> NDArray[np.float32]:
    (found,) = session.run(None, feed)
    return np.asarray(found, np.float32)

"""A model in memory: its tokenizer and its graph. Blocking; called from threads."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from muniment.embedding.batching import Ids, padded
from muniment.kernel.extras import late
from muniment.kernel.model import Matrix
from muniment.models.contract import FileRef, ModelBroken

_REFUSALS = ("InvalidProtobuf", "InvalidGraph", "InvalidArgument", "NotImplemented", "Fail")
"""What ONNX Runtime raises on a graph that it cannot run; they share no base but Exception."""


class Encoder:
    """Texts to token ids, and token ids to vectors."""

    def __init__(self, tokenizer: Any, session: Any, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer, self._session = tokenizer, session
        marked = tokenizer.encode("a")
        words = [place for place, special in enumerate(marked.special_tokens_mask) if not special]
        self._before: list[int] = marked.ids[: words[0]] if words else []
        self._after: list[int] = marked.ids[words[-1] + 1 :] if words else []

    @classmethod
    def load(cls, graph: bytes, tokenizer: bytes, *, max_tokens: int, threads: int) -> "Encoder":
        """The model from its files.

        Raises ModelBroken when they cannot be read.
        """
        # Read when the library is imported; else it reports its use to its makers, from each user's machine.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        runtime, tokenizers = late("onnxruntime"), late("tokenizers")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Threads that spin while they wait would take the processor from the rest of the house.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except tuple(getattr(runtime.capi.onnxruntime_pybind11_state, kind) for kind in _REFUSALS) as broken:
            raise ModelBroken(f"the graph cannot be loaded: {str(broken)[:300]}") from broken
        reader = tokenizers.Tokenizer.from_str(tokenizer.decode())
        # Its file may say other lengths; the model's own limit is checked, and nothing is cut in silence.
        reader.no_truncation()
        reader.no_padding()
        return cls(reader, session, max_tokens)

    @property
    def window_tokens(self) -> int:
        """How many tokens of a text fit beside the special ones."""
        return self.max_tokens - len(self._before) - len(self._after)

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's token ids, without special tokens."""
        return [found.ids for found in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def marked(self, words: Ids) -> list[int]:
        """The ids between the special tokens; never none at all, since nothing has no direction."""
        return [*self._before, *words, *self._after] or [0]

    def vectors(self, texts: Sequence[Ids]) -> Matrix:
        """A unit-length row for each."""
        (rows,) = self._session.run(None, padded(texts))
        return np.asarray(rows, np.float32)


def checked(ref: FileRef, path: Path) -> bytes:
    """The file's bytes.

    Raises ModelBroken when they are not what `ref` says.
    """
    data = path.read_bytes()
    if sha256(data).hexdigest() != ref.sha256:
        raise ModelBroken(f"{path} has another checksum than it must have; remove it, and it is made again")
    return data

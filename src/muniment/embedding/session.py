"""A model's files in memory, ready to run. Blocking; called from threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple

from muniment.kernel.extras import late
from muniment.models.contract import GRAPH_REFUSALS, FileRef, ModelBroken


class Parts(NamedTuple):
    """A model's files on this machine; `data` are weights beside the graph, which find it by its name."""

    graph: Path
    tokenizer: Path
    data: Path | None = None

    @property
    def size_bytes(self) -> int:
        """About what the model takes in memory."""
        return sum(path.stat().st_size for path in self if path is not None)


def open_session(graph: Path, threads: int) -> Any:
    """The graph, ready to run.

    Raises ModelBroken when it cannot be read.
    """
    # Read when the library is imported; else it reports its use to its makers, from each user's machine.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    runtime = late("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # It would keep a plan, and one block of memory, for every shape that a batch ever had.
    options.enable_mem_pattern = False
    # Threads that spin while they wait would take the processor from the rest of the house.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with running("the graph cannot be loaded"):
        return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@contextmanager
def running(what: str) -> Iterator[None]:
    """Turns the runtime's refusals within the body into ModelBroken."""
    states = late("onnxruntime.capi.onnxruntime_pybind11_state")
    try:
        yield
    except tuple(getattr(states, kind) for kind in GRAPH_REFUSALS) as broken:
        raise ModelBroken(f"{what}: {str(broken)[:300]}") from broken


def open_tokenizer(path: Path) -> Any:
    """The tokenizer, which cuts and pads nothing."""
    reader = late("tokenizers").Tokenizer.from_file(str(path))
    # Its file may say other lengths; the model's own limit is checked, and nothing is cut in silence.
    reader.no_truncation()
    reader.no_padding()
    return reader


def check(ref: FileRef, path: Path) -> None:
    """Raises ModelBroken when the file's bytes are not what `ref` says."""
    with path.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != ref.sha256:
        raise ModelBroken(f"{path} has another checksum than it must have; remove it, and it is made again")

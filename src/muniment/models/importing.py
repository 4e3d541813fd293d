"""A folder with an ONNX graph made into a model of ours: read, wrapped, and run to see what it is.

In the child process that builds only. Nothing of the folder is executed: no pickle is opened, no code imported,
and a graph's outer weights are read from inside the folder alone.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data
from safetensors import SafetensorError
from safetensors.numpy import load

from muniment.models.building import DATA, GRAPH, Build, Built
from muniment.models.contract import ModelBroken, ModelUnavailable, Pooling
from muniment.models.layout import TOKENIZER, Declared, Dense, inside, read_layout
from muniment.models.parts import hash_of, need_part, read_part
from muniment.models.probing import Found, probe
from muniment.models.wrapping import Layer, wrap_embedding, wrap_reranker

IMPORT = 1
"""Counts up whenever the same files become another model."""

_MOST_INLINE_BYTES = 1_500_000_000
"""A graph's own format ends at 2 GB."""


def import_model(request: Build, graph: str) -> Built:
    """The model of the folder, written into the target.

    Raises ModelBroken when it is not what it says, ModelUnavailable when a file cannot be written.
    """
    source, target = request.source, request.target
    declared = read_layout(lambda name: read_part(source, "", name))
    for field in ("query_prefix", "passage_prefix"):
        if (given := getattr(request, field)) is not None:
            declared = declared.model_copy(update={field: given})
    raw_tokenizer = need_part(source, "", TOKENIZER)
    hashes = [sha256(raw_tokenizer).hexdigest()]
    path = _within(source, source / inside(graph))
    model = _read_graph(source, path, hashes)
    pooling: Pooling = "own"
    if declared.kind == "reranker":
        wrap_reranker(model)
    else:
        pooling = wrap_embedding(model, declared.pooling, _layers(source, declared.dense))
    tokenizer = _lower(raw_tokenizer) if declared.lower else raw_tokenizer
    try:
        _save(model, target)
        (target / TOKENIZER).write_bytes(tokenizer)
    except OSError as failure:
        raise ModelUnavailable(f"{target} cannot be written: {failure.strerror}") from failure
    del model
    contents = sha256(f"{IMPORT} {declared.model_dump_json()} {' '.join(hashes)}".encode()).hexdigest()
    found = probe(target / GRAPH, tokenizer, declared)
    _check_width(declared, pooling, found)
    return Built(
        contents=contents,
        dimensions=found.dimensions,
        max_tokens=declared.max_tokens,
        kind=declared.kind,
        pooling=pooling,
        query_prefix=declared.query_prefix,
        passage_prefix=declared.passage_prefix,
        prefix_tokens=found.prefix_tokens,
        revision=f"onnx-{contents[:12]}",
    )


def _check_width(declared: Declared, pooling: Pooling, found: Found) -> None:
    pooled_here = declared.kind == "embedding" and pooling != "own" and not declared.dense
    if pooled_here and declared.width not in (None, found.dimensions):
        raise ModelBroken(
            f"its files declare {declared.width} dimensions, and its graph gives {found.dimensions}: "
            "they are of two models"
        )


def _read_graph(source: Path, path: Path, hashes: list[str]) -> onnx.ModelProto:
    """The graph with all its weights; adds to `hashes` those of what it read."""
    try:
        model = onnx.load_model(path, load_external_data=False)
        hashes.append(hash_of(path))
        for location in sorted(set(_outer(model))):
            outer = _within(source, path.parent / inside(location))
            hashes.append(hash_of(outer))
        load_external_data_for_model(model, str(path.parent))
    except (DecodeError, onnx.checker.ValidationError, ValueError) as broken:
        raise ModelBroken(f"{path.name} is no whole ONNX graph: {str(broken)[:300]}") from broken
    except FileNotFoundError as absent:
        raise ModelBroken(f"{path.name} needs a file that is not there: {absent.filename}") from absent
    except OSError as failure:
        raise ModelUnavailable(f"{path} cannot be read: {failure.strerror}") from failure
    if not model.graph.node:
        raise ModelBroken(f"{path.name} is an empty graph; did its download break off?")
    return model


def _outer(model: onnx.ModelProto) -> Iterator[str]:
    """The files that hold weights of the graph."""
    for tensor in _tensors(model.graph):
        if uses_external_data(tensor):
            yield ExternalDataInfo(tensor).location


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """All weights and constants, those of inner graphs too."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _tensors(inner)


def _within(folder: Path, file: Path) -> Path:
    """The file, unless a link leads out of the folder; a hub's own cache keeps its files beside the snapshots.

    Raises ModelBroken.
    """
    home = folder.resolve()
    if home.parent.name == "snapshots":
        home = home.parents[1]
    real = file.resolve()
    if not real.is_relative_to(home):
        raise ModelBroken(f"{file.name} lies outside the model's folder; copy it there")
    if not real.is_file():
        raise ModelBroken(f"{folder.name} lacks {file.name}", missing=file.name)
    return file


def _layers(source: Path, dense: tuple[Dense, ...]) -> list[Layer]:
    layers: list[Layer] = []
    for layer in dense:
        raw = need_part(source, "", layer.weights)
        try:
            loaded = load(raw)
            weight, bias = loaded["linear.weight"], loaded.get("linear.bias")
        except (SafetensorError, KeyError, TypeError) as broken:
            raise ModelBroken(f"{layer.weights} cannot be read: {broken}") from broken
        layers.append((_floats(weight), None if bias is None else _floats(bias), layer.activation))
    return layers


def _floats(values: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _lower(tokenizer: bytes) -> bytes:
    """The tokenizer, made to read everything in lower case, as the model was trained."""
    try:
        kept = json.loads(tokenizer)
        before = kept.get("normalizer")
    except (ValueError, AttributeError) as broken:
        raise ModelBroken(f"{TOKENIZER} is not JSON: {broken}") from broken
    steps = [{"type": "Lowercase"}, *([before] if before else [])]
    return json.dumps(kept | {"normalizer": {"type": "Sequence", "normalizers": steps}}).encode()


def _save(model: onnx.ModelProto, target: Path) -> None:
    size = sum(len(tensor.raw_data) for tensor in _tensors(model.graph))
    if size <= _MOST_INLINE_BYTES:
        onnx.save_model(model, target / GRAPH)
        return
    onnx.save_model(model, target / GRAPH, save_as_external_data=True, location=DATA)

"""A graph of someone else's making within ours: our inputs before it, pooling and unit length behind it.

The operators used mean the same in every version that ONNX Runtime reads, so the graph keeps its own. Its weights
are not touched. Imported in the child process that builds only: `onnx` is slow to load.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from muniment.models.contract import ModelBroken, Pooling

OURS = ("ids", "mask", "positions", "kinds")
GIVEN = ("embedding", "score")
_SENTENCE, _TOKENS = ("sentence_embedding",), ("last_hidden_state", "token_embeddings", "output")
_SOURCES = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "kinds", "position_ids": "places"}
_WHOLE = (TensorProto.INT64, TensorProto.INT32)
_TINY = 1e-12
Layer = tuple[NDArray[np.float32], NDArray[np.float32] | None, str]
"""Weights [out, in], bias, and activation of a layer behind the pooling."""


class _Sewing:
    """Adds nodes and constants before or behind the graph, under names that it cannot have."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.before: list[onnx.NodeProto] = []
        self.behind: list[onnx.NodeProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.graph.initializer.append(numpy_helper.from_array(value, f"ours.constant.{name}"))
        return f"ours.constant.{name}"

    def add(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.behind.append(helper.make_node(op, inputs, [name], name=f"ours.{name}", **attributes))
        return name

    def feed(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.before.append(helper.make_node(op, inputs, [name], name=f"ours.feed.{name}", **attributes))
        return name


def wrap_embedding(model: onnx.ModelProto, pooling: Pooling, layers: Iterable[Layer]) -> Pooling:
    """Make `model` take our inputs and give `embedding`; the pooling that it then has.

    Raises ModelBroken when its inputs or outputs are not those of an encoder.
    """
    sewing = _prepared(model)
    outputs = {output.name: _rank(output) for output in model.graph.output}
    sentence = next((name for name in _SENTENCE if name in outputs), None)
    tokens = next((name for name in _TOKENS if outputs.get(name, 2) != 2), None)  # noqa: PLR2004 - no [batch, width]
    if sentence is None and tokens is None and len(outputs) == 1:
        (only,) = outputs
        sentence, tokens = (only, None) if outputs[only] == 2 else (None, only)  # noqa: PLR2004 - [batch, width]
    if sentence is None and tokens is None:
        raise ModelBroken(
            f"the graph gives {', '.join(outputs)}; an encoder gives last_hidden_state or sentence_embedding. "
            "Export it for feature extraction"
        )
    if sentence is not None:
        x, pooling = sewing.add("Cast", [sentence], "ours.pooled", to=TensorProto.FLOAT), "own"
    else:
        x = _pooled(sewing, str(tokens), pooling)
        for number, layer in enumerate(layers):
            x = _dense(sewing, x, layer, number)
    _unit_length(sewing, x)
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", None])
    _finish(model, sewing, OURS[:3], output)
    return pooling


def wrap_reranker(model: onnx.ModelProto) -> None:
    """Make `model` take our inputs and give `score`.

    Raises ModelBroken when its inputs or outputs are not those of a cross-encoder.
    """
    sewing = _prepared(model)
    outputs = [output.name for output in model.graph.output]
    if "logits" not in outputs and len(outputs) != 1:
        raise ModelBroken(f"the graph gives {', '.join(outputs)}; a cross-encoder gives logits")
    logits = "logits" if "logits" in outputs else outputs[0]
    numbers = sewing.add("Cast", [logits], "ours.logits", to=TensorProto.FLOAT)
    sewing.add("Reshape", [numbers, sewing.constant("flat", np.array([-1]))], "score")
    _finish(model, sewing, OURS, helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"]))


def _prepared(model: onnx.ModelProto) -> _Sewing:
    """The graph's inputs fed from ours."""
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = {i.name: i.type.tensor_type.elem_type for i in graph.input if i.name not in weights}
    strange = sorted(inputs.keys() - _SOURCES.keys())
    if strange or "input_ids" not in inputs:
        raise ModelBroken(
            f"the graph takes {', '.join(inputs) or 'nothing'}; an encoder takes input_ids, attention_mask, "
            "token_type_ids, position_ids. Export it for feature extraction"
        )
    _renamed(graph, {name: f"its.{name}" for name in (*OURS, *GIVEN)})
    sewing = _Sewing(graph)
    sewing.feed("Sub", ["ids", "ids"], "ours.none")
    sewing.feed("Add", ["ours.none", "positions"], "ours.places")
    for name, kind in inputs.items():
        if kind not in _WHOLE:
            raise ModelBroken(f"the graph's {name} takes no whole numbers")
        source = {"kinds": "ours.kinds", "places": "ours.places"}.get(_SOURCES[name], _SOURCES[name])
        sewing.feed("Cast", [source], name, to=kind)
    return sewing


def _renamed(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Call what bears one of these names otherwise, also within inner graphs."""
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                _renamed(inner, names)


def _pooled(sewing: _Sewing, hidden: str, pooling: Pooling) -> str:
    """One row [batch, width] for each text; a mean is a sum, since only its direction counts."""
    hidden = sewing.add("Cast", [hidden], "ours.hidden", to=TensorProto.FLOAT)
    if pooling == "first":
        return sewing.add("Gather", [hidden, sewing.constant("start", np.array(0))], "ours.pooled", axis=1)
    real = sewing.add("Cast", ["mask"], "ours.real", to=TensorProto.FLOAT)
    if pooling == "last":
        real = _only_last(sewing, real)
    row = sewing.constant("row", np.array([0, 1, -1]))
    total = sewing.add("MatMul", [sewing.add("Reshape", [real, row], "ours.row"), hidden], "ours.total")
    if pooling == "mean":
        count = sewing.add("MatMul", [real, _ones(sewing)], "ours.count")
        total = sewing.add("Reshape", [total, sewing.constant("flat", np.array([0, -1]))], "ours.sum")
        return sewing.add("Div", [total, count], "ours.pooled")
    return sewing.add("Reshape", [total, sewing.constant("flat", np.array([0, -1]))], "ours.pooled")


def _ones(sewing: _Sewing) -> str:
    """A column of ones, one for each place."""
    places = sewing.add("Cast", ["positions"], "ours.place", to=TensorProto.FLOAT)
    nothing = sewing.add("Sub", [places, places], "ours.nothing")
    ones = sewing.add("Add", [nothing, sewing.constant("one", np.array([1], np.float32))], "ours.flat_ones")
    return sewing.add("Reshape", [ones, sewing.constant("column", np.array([-1, 1]))], "ours.ones")


def _only_last(sewing: _Sewing, real: str) -> str:
    """1 at each text's last token, 0 elsewhere: what is padding stands behind."""
    count = sewing.add("MatMul", [real, _ones(sewing)], "ours.count")
    end = sewing.add("Sub", [count, "ours.constant.one"], "ours.end")
    at = sewing.add("Cast", [end], "ours.at", to=TensorProto.INT64)
    return sewing.add(
        "Cast", [sewing.add("Equal", ["positions", at], "ours.is_last")], "ours.last", to=TensorProto.FLOAT
    )


def _dense(sewing: _Sewing, x: str, layer: Layer, number: int) -> str:
    weights, bias, activation = layer
    x = sewing.add("MatMul", [x, sewing.constant(f"dense{number}", weights.T.copy())], f"ours.dense{number}.sum")
    if bias is not None:
        x = sewing.add("Add", [x, sewing.constant(f"bias{number}", bias)], f"ours.dense{number}.biased")
    return sewing.add("Tanh", [x], f"ours.dense{number}.out") if activation == "Tanh" else x


def _unit_length(sewing: _Sewing, x: str) -> None:
    lying = sewing.add("Reshape", [x, sewing.constant("lying", np.array([0, 1, -1]))], "ours.as_row")
    standing = sewing.add("Reshape", [x, sewing.constant("standing", np.array([0, -1, 1]))], "ours.as_column")
    square = sewing.add("MatMul", [lying, standing], "ours.square")
    square = sewing.add("Reshape", [square, sewing.constant("single", np.array([0, -1]))], "ours.squares")
    floor = sewing.constant("tiny", np.array([_TINY], np.float32))
    length = sewing.add("Sqrt", [sewing.add("Max", [square, floor], "ours.floored")], "ours.length")
    sewing.add("Div", [x, length], "embedding")


def _finish(model: onnx.ModelProto, sewing: _Sewing, inputs: tuple[str, ...], output: onnx.ValueInfoProto) -> None:
    graph = model.graph
    kinds = ["kinds"] if "kinds" in inputs else ["ours.none"]
    sewing.before.insert(1, helper.make_node("Identity", kinds, ["ours.kinds"], name="ours.feed.kinds"))
    own = list(graph.node)
    weights = {weight.name for weight in graph.initializer}
    initialized = [i for i in graph.input if i.name in weights]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend([*sewing.before, *own, *sewing.behind])
    shapes = {name: ["tokens"] if name == "positions" else ["batch", "tokens"] for name in inputs}
    graph.input.extend(helper.make_tensor_value_info(n, TensorProto.INT64, s) for n, s in shapes.items())
    graph.input.extend(initialized)
    graph.output.append(output)


def _rank(value: onnx.ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim)

"""A BERT encoder as an ONNX graph, from its weights: fp32, or integers with a scale for each row.

With one scale a tensor (the common dynamic quantization) a text's vector would depend on what else is in its
batch. Here each token's row and each column of a weight has its own scale, so a text alone and in any batch
give the same vector. Imported in the child process that builds only: `onnx` is slow to load.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from muniment.models.bert import Bert
from muniment.models.contract import ModelBroken
from muniment.models.processor import Form

Array = NDArray[np.generic]
Weights = Mapping[str, NDArray[np.float32]]

_FUSED = "com.microsoft"
_ZERO, _STEPS = 128, 127
_GELU_LEAST = 0.1701
"""GELU never falls below minus this."""
_GELU_ZERO = 16
"""So its rows need few steps below zero, and have the more above: nearly twice as fine."""


class _Graph:
    """Nodes and constants under names of our choosing; each method gives the name of its output."""

    def __init__(self, bert: Bert, weights: Weights, form: Form) -> None:
        self.bert, self.weights, self.form = bert, weights, form
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Array | np.generic | int) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def read(self, name: str, *shape: int) -> NDArray[np.float32]:
        found = self.weights.get(name)
        if found is None:
            raise ModelBroken(f"the weights lack {name}")
        if any(want not in (have, -1) for have, want in zip(found.shape, shape, strict=False)) or len(
            shape
        ) != len(found.shape):
            raise ModelBroken(f"the weights' {name} has the shape {found.shape}, not {shape}")
        return found

    def vector(self, name: str, width: int = 0) -> str:
        return self.constant(name, self.read(name, width or self.bert.width))

    def node(self, op: str, inputs: list[str], name: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def last_axis(self) -> str:
        return self.constant("last", np.array([-1]))

    def rows(self, x: str) -> tuple[str, str, str] | None:
        """`x` as integers around 128, the scale of each row, and the zero; none where floats stay floats."""
        if self.form == "fp32":
            return None
        least = self.node(
            "Neg", [self.node("ReduceMin", [x, self.last_axis()], f"{x}.min", keepdims=1)], f"{x}.low"
        )
        most = self.node("ReduceMax", [x, self.last_axis()], f"{x}.max", keepdims=1)
        tiny = self.constant("tiny", np.float32(1e-9))
        return self._quantized(x, self.node("Max", [most, least, tiny], f"{x}.top"), _ZERO, _STEPS)

    def gelu_rows(self, x: str) -> tuple[str, str, str] | None:
        """The same for what GELU gives: only its largest value need be looked for."""
        if self.form == "fp32":
            return None
        steps = 255 - _GELU_ZERO
        most = self.node("ReduceMax", [x, self.last_axis()], f"{x}.max", keepdims=1)
        least = self.constant("gelu.least", np.float32(_GELU_LEAST / _GELU_ZERO * steps))
        return self._quantized(x, self.node("Max", [most, least], f"{x}.top"), _GELU_ZERO, steps)

    def _quantized(self, x: str, top: str, zero: int, steps: int) -> tuple[str, str, str]:
        one, middle = self.constant("one", np.float32(1)), self.constant(f"zero.{zero}", np.uint8(zero))
        scale = self.node("Mul", [top, self.constant(f"step.{steps}", np.float32(1 / steps))], f"{x}.row_scale")
        inverse = self.node("Div", [self.constant(f"steps.{steps}", np.float32(steps)), top], f"{x}.row_inverse")
        scaled = self.node("Mul", [x, inverse], f"{x}.row_scaled")
        return self.node("QuantizeLinear", [scaled, one, middle], f"{x}.u8"), scale, middle

    def linear(self, x: str, rows: tuple[str, str, str] | None, layer: str, name: str) -> str:
        """`x` through the weights of `layer`, without its bias, which the operator after it adds."""
        weight = self.read(f"{layer}.weight", -1, -1).T
        if rows is None:
            return self.node("MatMul", [x, self.constant(f"{layer}.weight", weight)], name)
        packed, scale = _columns(weight, 127 if self.form == "int8" else 63)
        whole = self.node(
            "MatMulIntegerToFloat",
            [
                rows[0],
                self.constant(f"{layer}.packed", packed),
                self.constant("one", np.float32(1)),
                self.constant(f"{layer}.scale", scale),
                rows[2],
            ],
            f"{name}.columns",
            _FUSED,
        )
        return self.node("Mul", [whole, rows[1]], name)

    def normalized(self, x: str, layer: str, name: str) -> str:
        """Layer normalization in parts: ONNX Runtime runs its own operator one number at a time."""
        width, epsilon = self.bert.width, self.bert.epsilon
        mean = self.node("ReduceMean", [x, self.last_axis()], f"{name}.mean", keepdims=1)
        centred = self.node("Sub", [x, mean], f"{name}.centred")
        squares = self.node("ReduceSumSquare", [centred, self.last_axis()], f"{name}.squares", keepdims=1)
        # width * epsilon may be under float32's resolution of the sum: then it only keeps zero from dividing.
        floor = self.constant("epsilon", np.float32(max(width * epsilon, 1e-30)))
        spread = self.node("Sqrt", [self.node("Add", [squares, floor], f"{name}.raised")], f"{name}.spread")
        root = self.constant("root", np.float32(np.sqrt(width)))
        unit = self.node("Mul", [centred, self.node("Div", [root, spread], f"{name}.inverse")], f"{name}.unit")
        scaled = self.node("Mul", [unit, self.vector(f"{layer}.weight")], f"{name}.scaled")
        return self.node("Add", [scaled, self.vector(f"{layer}.bias")], name)

    def added(self, x: str, skip: str, layer: str, norm: str, name: str) -> str:
        biased = self.node("Add", [x, self.vector(f"{layer}.bias")], f"{name}.biased")
        return self.normalized(self.node("Add", [biased, skip], f"{name}.sum"), norm, name)

    def words(self) -> str:
        """The rows of the table of words: kept as 8-bit integers unless all is fp32."""
        table = self.read("embeddings.word_embeddings.weight", -1, self.bert.width)
        if self.form == "fp32":
            return self.node("Gather", [self.constant("words.table", table), "ids"], "words")
        packed, scale = _columns(table.T, 127)
        whole = self.node("Gather", [self.constant("words.packed", packed.T), "ids"], "words.whole")
        floats = self.node("Cast", [whole], "words.floats", to=TensorProto.FLOAT)
        scales = self.node("Gather", [self.constant("words.scales", scale[:, None]), "ids"], "words.scale")
        return self.node("Mul", [floats, scales], "words")

    def layer(self, x: str, mask: str, index: int) -> str:
        at, bert = f"encoder.layer.{index}", self.bert
        rows = self.rows(x)
        parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        projected = [self.linear(x, rows, part, f"{index}.{part.rpartition('.')[2]}") for part in parts]
        biases = np.concatenate([self.read(f"{part}.bias", bert.width) for part in parts])
        seen = self.node(
            "MultiHeadAttention",
            [*projected, self.constant(f"{index}.biases", biases), mask],
            f"{index}.attention",
            _FUSED,
            num_heads=bert.heads,
        )
        out = f"{at}.attention.output"
        seen = self.linear(seen, self.rows(seen), f"{out}.dense", f"{index}.seen")
        x = self.added(seen, x, f"{out}.dense", f"{out}.LayerNorm", f"{index}.attended")
        wide = self.linear(x, self.rows(x), f"{at}.intermediate.dense", f"{index}.wide")
        bias = self.vector(f"{at}.intermediate.dense.bias", -1)
        wide = self.node("BiasGelu", [wide, bias], f"{index}.gelu", _FUSED)
        narrow = self.linear(wide, self.gelu_rows(wide), f"{at}.output.dense", f"{index}.narrow")
        return self.added(narrow, x, f"{at}.output.dense", f"{at}.output.LayerNorm", f"{index}.out")

    def pooled(self, x: str) -> str:
        """One row for each text. The mean need not be divided: what follows makes it unit length."""
        if self.bert.pooling == "first":
            return self.node("Gather", [x, self.constant("first", np.array(0))], "pooled", axis=1)
        real = self.node("Cast", ["mask"], "mask.float", to=TensorProto.FLOAT)
        middle = self.constant("middle", np.array([1]))
        total = self.node("MatMul", [self.node("Unsqueeze", [real, middle], "mask.row"), x], "total")
        return self.node("Squeeze", [total, middle], "pooled")


def build_graph(bert: Bert, weights: Weights, form: Form) -> onnx.ModelProto:
    """The graph: `ids`, `mask` [batch, tokens], `positions` [tokens] to `embedding` [batch, width], unit length.

    Raises ModelBroken when a weight is missing or has another shape than the configuration says.
    """
    g = _Graph(bert, weights, form)
    kinds = g.read("embeddings.token_type_embeddings.weight", -1, bert.width)
    places = g.read("embeddings.position_embeddings.weight", -1, bert.width) + kinds[0]
    placed = g.node("Gather", [g.constant("places", places), "positions"], "placed")
    x = g.normalized(g.node("Add", [g.words(), placed], "entered"), "embeddings.LayerNorm", "embedded")
    mask = g.node("Cast", ["mask"], "mask.int32", to=TensorProto.INT32)
    for index in range(bert.layers):
        x = g.layer(x, mask, index)
    g.node("LpNormalization", [g.pooled(x)], "embedding", axis=-1, p=2)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name, shape in (("ids", ["batch", "tokens"]), ("mask", ["batch", "tokens"]), ("positions", ["tokens"]))
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", bert.width])
    graph = helper.make_graph(g.nodes, "bert", inputs, [output], list(g.constants.values()))
    sets = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=9)


def _columns(weight: NDArray[np.float32], most: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Each column as whole numbers up to `most`, and its scale."""
    scale = np.maximum(np.abs(weight).max(0) / most, np.float32(1e-12)).astype(np.float32)
    return np.clip(np.rint(weight / scale), -most, most).astype(np.int8), scale

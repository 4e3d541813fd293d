"""Several models in one process: prefixes, rerankers, broken ones, and the memory that they share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from kit.tiny_bert import HEADS, MOST, VOCABULARY, WIDTH, tiny_tokenizer, tiny_weights
from kit.tiny_onnx import bert_graph, expected, ref_to
from muniment.embedding.build import EmbeddingSettings, build
from muniment.embedding.contract import (
    Describe,
    Embedding,
    EmbedPassages,
    EmbedQueries,
    PassageTooLong,
    Rerank,
)
from muniment.embedding.service import OnnxEmbedding
from muniment.embedding.shelf import Shelf
from muniment.kernel.local import local
from muniment.kernel.model import Matrix
from muniment.models.contract import EmbeddingFiles, ModelBroken, ModelMissing, RerankerFiles
from muniment.models.wrapping import wrap_embedding, wrap_reranker

from .conftest import ReadyModels

POISON = VOCABULARY.index("blue")
MARKS = 2


def wrapped(folder: Path, name: str, **about: object) -> EmbeddingFiles:
    """The tiny model as `models` would have it, its vectors NaN for whatever is blue."""
    folder.mkdir(parents=True, exist_ok=True)
    model = bert_graph(tiny_weights(), poison=POISON)
    wrap_embedding(model, "mean", ())
    onnx.save(model, folder / "graph.onnx")
    (folder / "tokenizer.json").write_text(tiny_tokenizer())
    files = {
        "name": name,
        "revision": "onnx-1",
        "dimensions": WIDTH,
        "max_tokens": MOST,
        "graph": ref_to(folder / "graph.onnx"),
        "tokenizer": ref_to(folder / "tokenizer.json"),
    }
    return EmbeddingFiles.model_validate(files | about)


HEAD = np.random.default_rng(5).normal(size=(WIDTH, 1)).astype(np.float32)


def reranker(folder: Path) -> RerankerFiles:
    folder.mkdir()
    model = bert_graph(tiny_weights(), output="logits", head=HEAD, poison=POISON)
    wrap_reranker(model)
    onnx.save(model, folder / "graph.onnx")
    (folder / "tokenizer.json").write_text(pair_tokenizer())
    graph, tokenizer = ref_to(folder / "graph.onnx"), ref_to(folder / "tokenizer.json")
    return RerankerFiles(name="judge", revision="onnx-1", max_tokens=MOST, graph=graph, tokenizer=tokenizer)


def pair_tokenizer() -> str:
    return tiny_tokenizer().replace(
        '"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}]',
        '"pair":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},'
        '{"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},'
        '{"SpecialToken":{"id":"[SEP]","type_id":1}}]',
    )


@pytest.fixture
def models(tmp_path: Path) -> ReadyModels:
    e5 = {"query_prefix": "the dog: ", "passage_prefix": "a mat ", "prefix_tokens": 2}
    return ReadyModels(
        wrapped(tmp_path / "plain", "plain"),
        wrapped(tmp_path / "e5", "e5", **e5),
        reranker(tmp_path / "judge"),
    )


@pytest.fixture
async def opened(models: ReadyModels) -> AsyncIterator[Callable[[int], Embedding]]:
    services: list[OnnxEmbedding] = []
    async with build(EmbeddingSettings(threads=1, memory_mb=64, recent_queries=0), models) as service:
        assert isinstance(service, OnnxEmbedding)
        services.append(service)
        yield lambda _: local(Embedding, service)


@pytest.fixture
def embedding(opened: Callable[[int], Embedding]) -> Embedding:
    return opened(0)


def ids(text: str) -> list[int]:
    words = [VOCABULARY.index(word) if word in VOCABULARY else 1 for word in text.split()]
    return [2, *words, 3]


async def passages(embedding: Embedding, *texts: str, model: str = "plain") -> Matrix:
    return (await embedding.embed_passages(EmbedPassages(model=model, texts=texts))).vectors


async def queries(embedding: Embedding, *texts: str, model: str = "plain") -> Matrix:
    return (await embedding.embed_queries(EmbedQueries(model=model, texts=texts))).vectors


async def test_each_model_is_served_by_name_with_its_own_prefixes(embedding: Embedding) -> None:
    plain, e5 = await embedding.describe(Describe(model="plain")), await embedding.describe(Describe(model="e5"))
    assert (plain.max_tokens, e5.max_tokens) == (MOST, MOST - 2), "a prefix takes from what a passage may have"
    assert np.allclose((await passages(embedding, "a cat"))[0], expected(ids("a cat")), atol=1e-5)
    assert np.allclose(
        (await passages(embedding, "a cat", model="e5"))[0], expected(ids("a mat a cat")), atol=1e-5
    )
    assert np.allclose(
        (await queries(embedding, "a cat", model="e5"))[0], expected(ids("the dog : a cat")), atol=1e-5
    )
    most = " ".join(["cat"] * (e5.max_tokens - MARKS))
    assert (await passages(embedding, most, model="e5")).shape == (1, WIDTH)
    with pytest.raises(PassageTooLong):
        await passages(embedding, most + " cat", model="e5")


async def test_each_window_of_a_long_query_has_the_prefix(embedding: Embedding) -> None:
    room = MOST - MARKS - 3
    long = await queries(embedding, " ".join(["cat"] * room + ["river"] * room), model="e5")
    parts = np.stack([expected(ids("the dog : " + " ".join([word] * room))) for word in ("cat", "river")]).mean(0)
    assert np.allclose(long[0], parts / np.linalg.norm(parts), atol=1e-5)


async def test_a_model_that_gives_nan_is_named_to_whom_it_concerns(embedding: Embedding) -> None:
    for ask in (passages, queries):
        with pytest.raises(ModelBroken, match=r"no usable vector for text 1 \(NaN") as broken:
            await ask(embedding, "a cat", "blue cat")
        assert broken.value.extra == {"index": 1}
    poisoned, fine = await asyncio.gather(
        passages(embedding, "blue"), passages(embedding, "red"), return_exceptions=True
    )
    assert isinstance(poisoned, ModelBroken)
    assert isinstance(fine, np.ndarray)


async def test_a_cross_encoder_scores_each_passage_as_if_alone(embedding: Embedding) -> None:
    texts = ("the cat sat", "a dog runs in the house by the river", "red", "the mountain " * 40)
    reply = await embedding.rerank(Rerank(model="judge", query="a cat", passages=texts))
    alone = [
        (await embedding.rerank(Rerank(model="judge", query="a cat", passages=(text,)))).scores[0]
        for text in texts
    ]
    assert reply.scores == pytest.approx(alone, abs=1e-4)
    assert len(set(reply.scores)) == len(texts)
    assert reply.tokens <= len(texts) * MOST
    assert HEADS
    with pytest.raises(ModelBroken, match="not numbers"):
        await embedding.rerank(Rerank(model="judge", query="a cat", passages=("red", "blue")))


async def test_a_reranker_embeds_nothing_and_an_encoder_judges_nothing(embedding: Embedding) -> None:
    for _ in range(2):
        with pytest.raises(ModelMissing):
            await passages(embedding, "a", model="judge")
        with pytest.raises(ModelMissing):
            await embedding.rerank(Rerank(model="plain", query="a", passages=("b",)))
    await embedding.rerank(Rerank(model="judge", query="a", passages=("b",)))
    with pytest.raises(ModelMissing, match="no embedding model"):
        await passages(embedding, "a", model="judge")


async def test_a_model_that_changed_under_its_name_is_not_mixed_in(models: ReadyModels) -> None:
    async with build(EmbeddingSettings(threads=1, memory_mb=0), models) as service:
        await passages(service, "a cat")
        await passages(service, "a cat", model="e5")
        models.files["plain"] = models.files["plain"].model_copy(update={"revision": "onnx-2"})
        with pytest.raises(ModelBroken, match="reindex"):
            await passages(service, "a cat")


class Weight:
    """A model of so many bytes."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes, self.closed = size_bytes, False

    async def close(self) -> None:
        self.closed = True


class Shelved:
    """A shelf, and what was loaded onto it."""

    def __init__(self, budget: int) -> None:
        self.shelf: Shelf[Weight] = Shelf(budget)
        self.loads: list[str] = []
        self.weights: dict[str, Weight] = {}

    def using(self, name: str, size: int = 10):
        async def load() -> Weight:
            self.loads.append(name)
            self.weights[name] = Weight(size)
            return self.weights[name]

        return self.shelf.using(name, load)

    async def touch(self, *names: str) -> None:
        for name in names:
            async with self.using(name):
                pass

    def closed(self) -> set[str]:
        return {name for name, weight in self.weights.items() if weight.closed}


async def test_the_model_not_used_for_the_longest_makes_room() -> None:
    shelved = Shelved(budget=25)
    await shelved.touch("a", "b", "a", "c")
    assert shelved.closed() == {"b"}
    await shelved.touch("a", "c")
    assert shelved.loads == ["a", "b", "c"]
    await shelved.touch("b")
    assert shelved.loads == ["a", "b", "c", "b"]
    await shelved.shelf.close()
    assert shelved.closed() == {"a", "b", "c"}


async def test_a_model_in_use_stays_and_goes_when_it_is_let_go() -> None:
    shelved = Shelved(budget=15)
    async with shelved.using("a") as used:
        await shelved.touch("b")
        assert shelved.closed() == {"b"}, "the one in use stays, though it is the older"
        async with shelved.using("c"):
            await shelved.touch("a")
            assert not used.closed
    assert shelved.closed() == {"b", "c"} or shelved.closed() == {"b", "a"}
    large = Shelved(budget=5)
    await large.touch("a", "a")
    assert large.loads == ["a"], "alone, even one over the budget is kept"


async def test_a_load_that_failed_is_tried_again_and_who_gives_up_stops_nobody() -> None:
    shelf: Shelf[Weight] = Shelf(100)
    going, tries = asyncio.Event(), 0

    async def load() -> Weight:
        nonlocal tries
        tries += 1
        await going.wait()
        if tries == 1:
            raise ModelBroken("at first")
        return Weight(1)

    async def use() -> int:
        async with shelf.using("a", load) as weight:
            return weight.size_bytes

    hasty, patient = asyncio.create_task(use()), asyncio.create_task(use())
    await asyncio.sleep(0)
    hasty.cancel()
    going.set()
    with pytest.raises(ModelBroken):
        await patient
    assert await use() == 1
    assert tries == 2
    await shelf.close()

"""Embedding through its contract, with the tiny model."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from kit.tiny_bert import MOST, WIDTH, WORDS
from muniment.embedding.contract import Describe, Embedding, EmbedPassages, EmbedQueries, PassageTooLong
from muniment.embedding.encoder import Encoder
from muniment.kernel.local import local
from muniment.kernel.model import Matrix
from muniment.models.contract import (
    EmbeddingFiles,
    ModelBroken,
    ModelMissing,
    Models,
    ModelUnavailable,
)

from .conftest import ReadyModels

BATCH = ("the cat sat on a mat", "a dog", "the river runs green in the mountain house", "blue", "red walks")
ROOM = MOST - 2


async def passages(embedding: Embedding, *texts: str) -> Matrix:
    return (await embedding.embed_passages(EmbedPassages(model="tiny", texts=texts))).vectors


async def queries(embedding: Embedding, *texts: str) -> Matrix:
    return (await embedding.embed_queries(EmbedQueries(model="tiny", texts=texts))).vectors


async def test_the_model_is_described_by_its_own_limit(embedding: Embedding, tiny: EmbeddingFiles) -> None:
    found = await embedding.describe(Describe(model="tiny"))
    assert (found.name, found.revision, found.dimensions, found.max_tokens) == ("tiny", "int8-tiny", WIDTH, MOST)
    assert found.tokenizer == tiny.tokenizer


async def test_a_row_for_each_text_in_order(embedding: Embedding) -> None:
    together = await embedding.embed_passages(EmbedPassages(model="tiny", texts=BATCH))
    assert together.vectors.shape == (len(BATCH), WIDTH)
    assert together.vectors.dtype == np.float32
    assert together.tokens == sum(len(text.split()) + 2 for text in BATCH)
    for text, row in zip(BATCH, together.vectors, strict=True):
        assert (await passages(embedding, text))[0] @ row > 0.9999
    assert np.allclose(await queries(embedding, *BATCH), together.vectors, atol=1e-4)


async def test_callers_at_the_same_time_get_their_own_rows(embedding: Embedding) -> None:
    texts = [f"{a} {b} {c}" for a in WORDS[:6] for b in WORDS[6:12] for c in WORDS[12:15]]
    alone = [(await passages(embedding, text))[0] for text in texts]
    together = await asyncio.gather(
        *(passages(embedding, *texts[start : start + 7]) for start in range(0, len(texts), 7))
    )
    assert (np.concatenate(together) * np.stack(alone)).sum(1).min() > 0.9999


async def test_a_passage_that_is_too_long_is_named_and_never_cut(embedding: Embedding) -> None:
    fits = " ".join(["cat"] * ROOM)
    assert (await passages(embedding, fits)).shape == (1, WIDTH)
    with pytest.raises(PassageTooLong) as refused:
        await passages(embedding, "a dog", fits + " cat", fits + " cat cat")
    assert refused.value.extra == {"index": 1, "tokens": MOST + 1, "max_tokens": MOST}


async def test_a_long_query_is_the_average_of_its_windows(embedding: Embedding) -> None:
    first, second = ["cat"] * ROOM, ["river"] * ROOM
    whole = (await queries(embedding, " ".join(first + second)))[0]
    parts = await queries(embedding, " ".join(first), " ".join(second))
    expected = parts.mean(0) / np.linalg.norm(parts.mean(0))
    assert np.allclose(whole, expected, atol=1e-5)


async def test_long_and_short_queries_together(embedding: Embedding) -> None:
    long, short = " ".join(WORDS * 20), "a dog"
    mixed = await queries(embedding, short, long, "blue")
    assert np.allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-5)
    assert mixed[1] @ (await passages(embedding, short))[0] < 0.999
    assert mixed[0] @ (await passages(embedding, short))[0] > 0.9999


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u200d", "\ufffd", "中文", "🙂", "\u202eabc", "a" * 5000])
async def test_any_text_has_a_finite_direction(embedding: Embedding, text: str) -> None:
    for found in (await queries(embedding, text), await passages(embedding, text)):
        assert np.isfinite(found).all()
        assert abs(np.linalg.norm(found[0]) - 1) < 1e-5


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400))
def test_tokens_without_marks_are_finite_too(encoder: Encoder, text: str) -> None:
    ids = encoder.words([text])[0][: encoder.window_tokens]
    vectors = encoder.vectors([encoder.marked(ids), encoder.marked([5])])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def repeated() -> float:
    return REGISTRY.get_sample_value("muniment_embedding_repeated_queries_total") or 0


async def test_repeated_queries_come_from_the_cache(embedding: Embedding) -> None:
    first = await embedding.embed_queries(EmbedQueries(model="tiny", texts=("a cat", "a dog", "a cat")))
    before = repeated()
    again = await embedding.embed_queries(EmbedQueries(model="tiny", texts=("a dog", "a cat", "blue")))
    assert repeated() - before == 2
    assert (again.vectors[:2] == first.vectors[1::-1]).all()
    assert first.tokens == 4 + 4 + 4
    assert again.tokens == 4 + 4 + 3


async def test_a_model_that_cannot_be_had_is_asked_for_again(embedding: Embedding, models: ReadyModels) -> None:
    models.offline = True
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await passages(embedding, "a cat")
    models.offline = False
    assert (await passages(embedding, "a cat")).shape == (1, WIDTH)


async def test_a_caller_who_gives_up_while_it_loads_stops_nobody_else(embedding: Embedding) -> None:
    hasty = asyncio.create_task(passages(embedding, "a cat"))
    patient = asyncio.create_task(passages(embedding, "a dog"))
    await asyncio.sleep(0)
    hasty.cancel()
    assert (await patient).shape == (1, WIDTH)
    assert hasty.cancelled()


@pytest.mark.parametrize("name", ["nobody", "talker"])
async def test_what_is_no_embedding_model_is_missing(embedding: Embedding, name: str) -> None:
    with pytest.raises(ModelMissing):
        await embedding.describe(Describe(model=name))
    with pytest.raises(ModelMissing):
        await embedding.embed_queries(EmbedQueries(model=name, texts=("x",)))


async def test_files_with_other_bytes_are_refused(
    embedding: Embedding, models: ReadyModels, tiny: EmbeddingFiles
) -> None:
    models.files["tiny"] = tiny.model_copy(update={"graph": tiny.graph.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(ModelBroken, match="checksum"):
        await passages(embedding, "a cat")


async def test_a_graph_that_is_none_is_refused(
    embedding: Embedding, models: ReadyModels, tiny: EmbeddingFiles
) -> None:
    models.files["tiny"] = tiny.model_copy(update={"graph": tiny.tokenizer})
    with pytest.raises(ModelBroken, match="graph"):
        await passages(embedding, "a cat")


def test_the_fake_is_a_models_room(models: ReadyModels) -> None:
    assert local(Models, models)  # type: ignore[type-abstract]

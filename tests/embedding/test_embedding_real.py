"""The bundled model itself, from the cache that `make test` prepares."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from muniment.embedding.build import EmbeddingSettings, build
from muniment.embedding.contract import Describe, Embedding, EmbedPassages, EmbedQueries, PassageTooLong
from muniment.models.build import ModelsSettings
from muniment.models.build import build as build_models
from muniment.models.contract import BUNDLED_EMBEDDING, ModelUnavailable

TEXTS = (
    "How many days of leave do I get?",
    "Employees are entitled to twenty-five days of paid holiday a year.",
    "The reactor's coolant pump is inspected monthly.",
    "`kubectl rollout undo` reverts a deployment.",
    "Wie viele Urlaubstage habe ich?",
)
FP32 = np.array(
    [
        [1.0, 0.492, 0.115, 0.084, 0.039],
        [0.492, 1.0, 0.074, 0.033, 0.059],
        [0.115, 0.074, 1.0, 0.031, -0.01],
        [0.084, 0.033, 0.031, 1.0, -0.049],
        [0.039, 0.059, -0.01, -0.049, 1.0],
    ]
)
"""Cosines of TEXTS by the same weights in 32-bit floats."""


@pytest.fixture
async def embedding() -> AsyncIterator[Embedding]:
    async with build_models(ModelsSettings()) as models, build(EmbeddingSettings(), models) as service:
        try:
            await service.describe(Describe())
        except ModelUnavailable as absent:
            pytest.skip(f"the bundled model cannot be had: {absent.detail}")
        yield service


async def test_the_model_is_the_one_it_should_be(embedding: Embedding) -> None:
    model = await embedding.describe(Describe())
    assert (model.name, model.dimensions, model.max_tokens) == (BUNDLED_EMBEDDING, 384, 256)
    rows = (await embedding.embed_queries(EmbedQueries(texts=TEXTS))).vectors
    assert np.abs(rows @ rows.T - FP32).max() < 0.03


async def test_a_vector_does_not_depend_on_its_batch(embedding: Embedding) -> None:
    texts = tuple(" ".join(TEXTS[:n]) * m for n in range(1, 6) for m in (1, 2, 3))
    together = (await embedding.embed_passages(EmbedPassages(texts=texts))).vectors
    for text, row in zip(texts, together, strict=True):
        alone = (await embedding.embed_passages(EmbedPassages(texts=(text,)))).vectors[0]
        assert alone @ row > 0.9999


async def test_the_limit_is_256_tokens_whatever_its_tokenizer_file_says(embedding: Embedding) -> None:
    fits = " ".join(["leave"] * 254)
    assert (await embedding.embed_passages(EmbedPassages(texts=(fits,)))).tokens == 256
    with pytest.raises(PassageTooLong) as refused:
        await embedding.embed_passages(EmbedPassages(texts=(fits + " leave",)))
    assert refused.value.extra == {"index": 0, "tokens": 257, "max_tokens": 256}
    long = (await embedding.embed_queries(EmbedQueries(texts=(fits * 3,)))).vectors
    assert abs(np.linalg.norm(long) - 1) < 1e-5

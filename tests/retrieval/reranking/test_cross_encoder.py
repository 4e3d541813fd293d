"""A cross-encoder from its folder to the order of passages: the rooms as they are, a model as small as can be."""

from pathlib import Path

import numpy as np
import pytest

from kit.tiny_bert import CONFIG, WIDTH, tiny_weights
from kit.tiny_onnx import bert_graph, folder_of
from muniment.embedding.build import EmbeddingSettings
from muniment.embedding.build import build as build_embedding
from muniment.embedding.contract import Embedding
from muniment.kernel.local import local
from muniment.models.build import ModelsSettings
from muniment.models.build import build as build_models
from muniment.models.contract import AddModel, ModelMissing, Models, RemoveModel
from muniment.retrieval.reranking.cross_encoder import CrossEncoder

PASSAGES = ("the cat sat on a mat", "a dog runs", "the river in the mountain " * 20, "red")


async def test_a_folder_becomes_a_reranker(tmp_path: Path) -> None:
    head = np.random.default_rng(2).normal(size=(WIDTH, 1)).astype(np.float32)
    config = {**CONFIG, "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    folder = folder_of(tmp_path / "judge", bert_graph(tiny_weights(), output="logits", head=head), config=config)
    settings = EmbeddingSettings(threads=1)
    async with build_models(ModelsSettings(cache=tmp_path / "cache")) as room:
        models = local(Models, room)
        info = await models.add(AddModel(path=str(folder)))
        assert (info.name, info.kind, info.state) == ("judge", "reranker", "ready")
        async with build_embedding(settings, models) as service:
            embedding = local(Embedding, service)
            encoder = CrossEncoder(embedding, "judge", 30)
            scores = await encoder.rerank("a cat", PASSAGES)
            assert len(set(scores)) == len(PASSAGES)
            for passage, score in zip(PASSAGES, scores, strict=True):
                assert await encoder.rerank("a cat", [passage]) == pytest.approx([score], abs=1e-4)
        await models.remove(RemoveModel(name="judge"))
        async with build_embedding(settings, models) as service:
            with pytest.raises(ModelMissing):
                await CrossEncoder(local(Embedding, service), "judge", 30).rerank("a cat", PASSAGES)

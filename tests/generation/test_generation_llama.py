"""A real language model: llama.cpp by its own server over HTTP, and in this process."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from generation.conftest import writer_at
from muniment.generation.contract import Finished, Write
from muniment.generation.local_llm import LocalModel
from muniment.generation.service import Configured, PassageWriter
from muniment.kernel.deadline import deadline
from muniment.kernel.problems import Problem
from muniment.models.build import ModelsSettings, build
from muniment.models.contract import BUNDLED_LLM, LlmFiles, Prepare

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the extra local-llm is not installed")


@pytest.fixture
async def models():
    async with build(ModelsSettings()) as room:
        try:
            async with deadline(60):
                files = [event async for event in room.prepare(Prepare(name=BUNDLED_LLM))][-1]
        except Problem as problem:
            pytest.skip(f"the small language model cannot be had here: {problem.detail}")
        assert isinstance(files, LlmFiles)
        yield room, Path(unquote(urlsplit(files.weights.store).path)) / files.weights.key


async def written(writer, sources, **more):
    events = [event async for event in writer.write(Write(question="When is lunch?", sources=sources[1:], **more))]
    return events[:-1], events[-1]


async def test_the_same_model_by_its_own_server_and_in_process(models, embedding, leases):
    xllamacpp = pytest.importorskip("xllamacpp")
    room, path = models
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel, settings.port = str(path), 1024, 1, 0
    settings.verbosity, settings.warmup, settings.api_keys = -1, False, ["sk-test"]
    for threads in (settings.cpuparams, settings.cpuparams_batch):
        threads.n_threads, threads.poll = 1, 0
    served = xllamacpp.Server(settings)
    async with writer_at(
        f"{served.listening_address}/v1", embedding, most_tokens=12, first_seconds=30, idle_seconds=30
    ) as writer:
        sentences, finished = await written(writer, leases)
        assert finished == Finished(model="m")
        assert sentences
    async with writer_at(f"{served.listening_address}/v1", embedding, api_key="wrong") as writer:
        _, finished = await written(writer, leases)
        assert finished == Finished(model="extractive", degraded=("llm",))
    del served

    local = LocalModel(room, BUNDLED_LLM, threads=1, context_tokens=1024, most_tokens=12, temperature=0)
    writer = PassageWriter(embedding, [Configured(local, "local", rest_seconds=0)])
    try:
        again, finished = await written(writer, leases, model=BUNDLED_LLM)
        assert finished == Finished(model=BUNDLED_LLM)
        assert again
        stream = local.stream([{"role": "user", "content": "Count to a thousand."}])
        assert await anext(stream)
        await stream.aclose()
        events = writer.write(Write(question="word " * 1600, sources=(), model=BUNDLED_LLM))
        assert [event async for event in events][-1].degraded == ("llm",)
    finally:
        await local.close()

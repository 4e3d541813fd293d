"""Models from a hub: a real server that speaks its protocol, also one that lies."""

import shutil
from collections.abc import AsyncIterator
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from kit.tiny_bert import WIDTH
from kit.tiny_onnx import folder_of, pooling
from muniment.kernel.local import local
from muniment.kernel.model import Nothing
from muniment.models.contract import (
    AddModel,
    EmbeddingFiles,
    ModelBroken,
    ModelInfo,
    ModelMissing,
    Models,
    ModelUnavailable,
    Prepare,
    Preparing,
)
from muniment.models.hub import Hub
from muniment.models.service import CachedModels
from muniment.models.store import Cache

REPO, TOKEN = "org/Tiny-Model", "hf_secret"
LARGE = ("model.onnx", "tokenizer.json")


class FakeHub:
    """A hub with one repository; its large files come by redirect from another origin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commit = sha1(b"first").hexdigest()
        self.asked: list[str] = []
        self.tokens: dict[str, str | None] = {}
        self.status = 200
        self.listing: dict[str, Any] | None = None
        self.spoiled: dict[str, bytes] = {}
        self.store_url = ""

    async def revision(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.tokens["hub"] = request.headers.get("Authorization")
        if request.match_info["repo"] != REPO:
            raise web.HTTPNotFound
        if self.status != 200:
            return web.Response(status=self.status)
        return web.json_response(self.listing or {"id": REPO, "sha": self.commit, "siblings": self.siblings()})

    def siblings(self) -> list[dict[str, Any]]:
        found = []
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            data, name = path.read_bytes(), path.relative_to(self.folder).as_posix()
            entry: dict[str, Any] = {
                "rfilename": name,
                "size": len(data),
                "blobId": sha1(b"blob %d\0" % len(data) + data).hexdigest(),
            }
            if name.endswith(LARGE):
                entry |= {
                    "blobId": "p",
                    "lfs": {"sha256": sha256(data).hexdigest(), "size": len(data), "pointerSize": 9},
                }
            found.append(entry)
        return found

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        self.asked.append(name)
        assert request.match_info["revision"] == self.commit
        if name.endswith(LARGE):
            raise web.HTTPFound(f"{self.store_url}/{name}")
        return web.Response(body=self.spoiled.get(name) or (self.folder / name).read_bytes())

    async def stored(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["file"]
        self.tokens["store"] = request.headers.get("Authorization")
        return web.Response(body=self.spoiled.get(name) or (self.folder / name).read_bytes())


async def serve(*routes: web.RouteDef) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeHub]:
    prompts = {"prompts": {"query": "the ", "passage": ""}}
    folder = folder_of(tmp_path / "repo", config_sentence_transformers=prompts, **pooling("mean_tokens"))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04 what nobody must fetch")
    (folder / "onnx" / "model_quantized.onnx").write_bytes(b"nor this")
    found = FakeHub(folder)
    store, found.store_url = await serve(web.get("/{file:.+}", found.stored))
    main, url = await serve(
        web.get("/api/models/{repo:[^/]+/[^/]+}/revision/{revision}", found.revision),
        web.get("/{repo:[^/]+/[^/]+}/resolve/{revision}/{file:.+}", found.resolve),
    )
    monkeypatch.setenv("HF_ENDPOINT", url)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield found
    await main.cleanup()
    await store.cleanup()


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Models]:
    service = CachedModels(Cache(tmp_path / "cache"), "int8", hub=Hub(None, SecretStr(TOKEN), idle_seconds=5))
    yield local(Models, service)
    await service.close()


async def test_a_model_is_fetched_at_a_commit_and_every_file_hashed(
    hub: FakeHub, models: Models, tmp_path: Path
) -> None:
    info = await models.add(AddModel(path=f"hub:{REPO}"))
    assert (info.name, info.state, info.dimensions, info.query_prefix) == ("tiny-model", "ready", WIDTH, "the ")
    assert info.source == f"hub:{REPO}@{hub.commit}"
    assert hub.asked[0] == f"/api/models/{REPO}/revision/main"
    assert set(hub.asked[1:]) == set(info.hashes)
    assert "onnx/model.onnx" in info.hashes
    assert not {"pytorch_model.bin", "onnx/model_quantized.onnx"} & set(info.hashes)
    for name, digest in info.hashes.items():
        assert digest == sha256((hub.folder / name).read_bytes()).hexdigest()
    assert hub.tokens == {"hub": f"Bearer {TOKEN}", "store": None}, "a token is for its own origin"
    assert not list((tmp_path / "cache").glob("*/.work-*"))

    by_hand = await models.add(AddModel(path=str(hub.folder), name="same"))
    assert by_hand.revision == info.revision


async def test_what_was_lost_is_fetched_again_at_the_same_commit(
    hub: FakeHub, models: Models, tmp_path: Path
) -> None:
    info = await models.add(AddModel(path=f"hub:{REPO}@v1.0", name="mine"))
    assert hub.asked[0].endswith("/revision/v1.0")
    shutil.rmtree(tmp_path / "cache" / "mine" / str(info.revision))
    hub.asked.clear()
    events = [event async for event in models.prepare(Prepare(name="mine"))]
    assert isinstance(events[-1], EmbeddingFiles)
    assert events[-1].revision == info.revision
    assert hub.asked[0].endswith(f"/revision/{hub.commit}")
    fetched = [event for event in events if event.kind == "preparing" and event.step == "fetch" and event.total]
    assert fetched[-1].done == fetched[-1].total


@pytest.mark.usefixtures("hub")
async def test_the_bytes_that_came_are_told(models: Models) -> None:
    events = [event async for event in models.bring(AddModel(path=f"hub:{REPO}"))]
    fetched = [e for e in events if isinstance(e, Preparing) and e.step == "fetch" and e.total]
    assert fetched
    assert all(e.unit == "bytes" and e.total and 0 < e.done <= e.total for e in fetched)
    assert fetched[-1].done == fetched[-1].total
    assert isinstance(events[-1], ModelInfo)


@pytest.mark.parametrize("name", ["onnx/model.onnx", "tokenizer.json", "config.json"])
async def test_other_bytes_than_the_commits_are_refused(hub: FakeHub, models: Models, name: str) -> None:
    whole = (hub.folder / name).read_bytes()
    for spoiled, reason in ((bytes([whole[0] ^ 1]) + whole[1:], "other bytes"), (whole + b"!" * 9, "more of")):
        hub.spoiled[name] = spoiled
        with pytest.raises(ModelBroken, match=reason):
            await models.add(AddModel(path=f"hub:{REPO}", name="mine"))
    hub.spoiled[name] = whole[:-1]
    with pytest.raises(ModelBroken, match="other bytes"):
        await models.add(AddModel(path=f"hub:{REPO}", name="mine"))
    assert "mine" not in [info.name for info in (await models.list(Nothing())).items]


@pytest.mark.parametrize(
    "listing",
    [
        {"sha": "main", "siblings": []},
        {"error": "no"},
        {"sha": "0" * 40, "siblings": [{"rfilename": "../../up.json", "size": 1}]},
        {"sha": "0" * 40, "siblings": [{"rfilename": "/etc/x.json", "size": 1}]},
        {"sha": "0" * 40, "siblings": []},
    ],
)
async def test_a_list_of_files_that_cannot_be_is_refused(
    hub: FakeHub, models: Models, listing: dict[str, Any]
) -> None:
    hub.listing = listing
    with pytest.raises(ModelBroken):
        await models.add(AddModel(path=f"hub:{REPO}"))


async def test_a_hub_that_refuses_says_what_to_do(hub: FakeHub, models: Models) -> None:
    with pytest.raises(ModelMissing, match="other/none"):
        await models.add(AddModel(path="hub:other/none"))
    for status, reason in ((401, "hub_token"), (403, "hub_token"), (429, "try again"), (503, "try again")):
        hub.status = status
        with pytest.raises(ModelUnavailable, match=reason) as refused:
            await models.add(AddModel(path=f"hub:{REPO}"))
        assert TOKEN not in refused.value.detail
    for text in ("hub:", "hub:../x", "hub:org", "hub:org/../x", "hub:org/a@", "hub:org/a/b", "hub:org/a@../b"):
        with pytest.raises(ModelBroken, match="no model of a hub"):
            await models.add(AddModel(path=text))


async def test_without_a_hub_the_way_by_hand_is_named(tmp_path: Path) -> None:
    runner, url = await serve()
    await runner.cleanup()
    service = CachedModels(Cache(tmp_path / "cache"), "int8", hub=Hub(url, None))
    with pytest.raises(ModelUnavailable, match="muniment models add PATH"):
        await local(Models, service).add(AddModel(path=f"hub:{REPO}"))

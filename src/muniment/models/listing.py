"""What is told of a model: from the catalogue, from what was brought in, and from what stands ready."""

from muniment.models.catalogue import Bundled
from muniment.models.contract import EmbeddingFiles, Files, LlmFiles, ModelInfo, Preparing
from muniment.models.store import Added, refs


def info_of(
    name: str,
    bundled: Bundled | None,
    added: Added | None,
    *,
    files: Files | None,
    problem: str | None,
    preparing: Preparing | None,
    under_way: bool,
) -> ModelInfo:
    """What is known of the model `name`; of one that is not ready, what it will be."""
    source = added.source if added else f"{bundled.package} {bundled.version}" if bundled else ""
    fixed = bundled if bundled and not added else None
    told = ModelInfo(
        name=name,
        kind=added.kind if added else fixed.kind if fixed else "embedding",
        state="preparing" if under_way else "failed" if problem else "absent",
        source=source,
        revision=None,
        size_bytes=None,
        dimensions=fixed.dimensions if fixed else None,
        max_tokens=fixed.max_tokens if fixed else None,
        problem=problem,
        preparing=preparing,
        hashes=added.hashes if added else {},
    )
    return told if files is None else told.model_copy(update=_ready(files))


def _ready(files: Files) -> dict[str, object]:
    told: dict[str, object] = {
        "kind": files.kind,
        "state": "ready",
        "revision": files.revision,
        "size_bytes": sum(ref.size_bytes for ref in refs(files)),
        "max_tokens": files.context_tokens if isinstance(files, LlmFiles) else files.max_tokens,
        "problem": None,
    }
    if isinstance(files, EmbeddingFiles):
        told |= files.model_dump(include={"dimensions", "pooling", "query_prefix", "passage_prefix"})
    return told

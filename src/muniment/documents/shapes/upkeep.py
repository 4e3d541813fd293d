"""What an operator sees: whether tables, index and blobs agree, and how much there is."""

from typing import Literal

from muniment.kernel.model import Model

DiscrepancyKind = Literal[
    "orphan-points", "missing-points", "missing-history", "late-history", "wrong-readers", "orphan-blobs",
    "missing-blobs", "stuck-versions",
]  # fmt: skip


class Reconcile(Model):
    """Compare tables, index and blobs; with `repair`, make index and blobs say what the tables say."""

    repair: bool = False


class Discrepancy(Model):
    """What does not fit: how many, the ids of a few, and what a repair does about it (or cannot)."""

    kind: DiscrepancyKind
    count: int
    examples: tuple[str, ...]
    cure: str


class Reconciled(Model):
    """How much was looked at, and what did not fit; a repair that embeds anew goes on in runs."""

    documents: int
    versions: int
    points: int
    blobs: int
    discrepancies: tuple[Discrepancy, ...]
    repaired: bool


class DocumentsStatus(Model):
    """Numbers for the operator; they name nothing."""

    documents: int
    chunks: int
    versions: dict[str, int]
    runs: dict[str, int]
    size_bytes: int = 0
    ingested_last_minute: int = 0

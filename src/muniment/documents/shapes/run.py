"""Runs: what is being done, and how far it is."""

from typing import Literal

from muniment.documents.shapes.uploading import ProblemDocument
from muniment.kernel.model import Model, Paged, Time

RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Progress(Model):
    """How much of a run is done; `total` null while that is not known."""

    done: int
    total: int | None
    unit: str


class Run(Model):
    """One execution of a task."""

    id: str
    kind: str
    state: RunState
    progress: Progress
    attempts: int
    next_attempt_at: Time | None
    eta_seconds: float | None
    problem: ProblemDocument | None
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    collection: str | None
    document: str | None


class ListRuns(Paged):
    """Runs of the collections and documents that the caller may see, newest first."""

    state: RunState | None = None
    kind: str | None = None
    collection: str | None = None


class PurgeCollection(Model):
    """A collection was deleted: remove all its documents, as the run `run`. Data of `collection.deleted`."""

    id: str
    name: str
    run: str

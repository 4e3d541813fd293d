"""Waiting for what was uploaded to become searchable, and knowing when to stop waiting."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from muniment.cli.terminal import Steps
from muniment.documents.contract import RunCancelled
from muniment.kernel.problems import Forbidden, Unauthenticated, Unavailable
from muniment.sdk import Muniment

POLL_SECONDS = 0.3
STILL_SECONDS = 4.0
"""After so long without progress the runs are looked at one by one."""

ATTEMPTS = 3
"""A run that has failed so often, and waits for its next attempt, is left to the server."""

MEGABYTE = 1_000_000
OVER = frozenset({"succeeded", "failed", "cancelled"})

Ended = Mapping[str, Any]
"""The runs that did not succeed, by id; those that still wait for their next attempt among them."""


def outcome_of(document: Mapping[str, Any], ended: Ended | None) -> tuple[str, dict[str, Any] | None]:
    """What became of an uploaded document, in a word, and its problem. `ended` None: nobody waited for it."""
    if problem := document.get("problem"):
        return "failed", problem
    if document["duplicate"] or document["run"] is None:
        return "unchanged", None
    if ended is None:
        return "accepted", None
    run = ended.get(document["run"])
    if run is None:
        return ("added" if document["version"] == 1 else "updated"), None
    problem = run["problem"] or RunCancelled(f"its run was {run['state']}").document()
    return ("failed" if run["state"] in OVER else "waiting"), problem


def wait(muniment: Muniment, answers: Sequence[Mapping[str, Any]], progress: Steps) -> Ended:
    """Wait until the runs of all uploads are over, or can only be waited for."""
    try:
        return _Watch(muniment, answers, progress).wait()
    except Unavailable as broken:
        kept = "what was uploaded is kept, and becomes searchable once the server runs again"
        raise Unavailable(f"{broken.detail}; {kept}", **broken.extra) from broken


class _Watch:
    """The runs that are not over, and when one of them last moved."""

    def __init__(self, muniment: Muniment, answers: Sequence[Mapping[str, Any]], progress: Steps) -> None:
        self._muniment, self._progress = muniment, progress
        self._members = {a["run"]: [d["run"] for d in a["documents"] if d["run"]] for a in answers if a["run"]}
        self._total = sum(len(a["documents"]) for a in answers)
        idle = self._total - sum(len(members) for members in self._members.values())
        self._done = dict.fromkeys(self._members, 0) | {"": idle}
        self._moved, self._models_seen, self._may_see_models = time.monotonic(), 0.0, True

    def wait(self) -> Ended:
        """Raises the server's Problem."""
        unwell: dict[str, Any] = {}
        waiting = list(self._members)
        while waiting:
            for run in list(waiting):
                told = self._muniment.get(f"/api/v1/runs/{run}")
                self._note(run, told)
                if told["state"] in OVER:
                    waiting.remove(run)
                    if told["state"] != "succeeded":
                        unwell |= self._unwell(run)
            self._progress.show("making searchable", sum(self._done.values()), self._total)
            still = time.monotonic() - self._moved
            if waiting and still > POLL_SECONDS:
                self._show_models()
            if waiting and still > STILL_SECONDS:
                self._moved = time.monotonic()
                if all(self._stuck(run) for run in waiting):
                    return unwell | {k: v for run in waiting for k, v in self._unwell(run).items()}
            if waiting:
                time.sleep(POLL_SECONDS)
        return unwell

    def _note(self, run: str, told: Mapping[str, Any]) -> None:
        one = len(self._members[run]) == 1
        done = int(told["state"] in OVER) if one else told["progress"]["done"]
        if done != self._done[run]:
            self._moved = time.monotonic()
        self._done[run] = done

    def _unwell(self, run: str) -> dict[str, Any]:
        """The run's own runs that did not succeed."""
        told = {member: self._muniment.get(f"/api/v1/runs/{member}") for member in self._members[run]}
        return {member: run for member, run in told.items() if run["state"] != "succeeded"}

    def _stuck(self, run: str) -> bool:
        """Whether the first of the run's own runs that is not over waits after several failures."""
        for member in self._members[run]:
            told = self._muniment.get(f"/api/v1/runs/{member}")
            if told["state"] not in OVER:
                return told["state"] == "queued" and bool(told["problem"]) and told["attempts"] >= ATTEMPTS
        return False

    def _show_models(self) -> None:
        """A model that is being fetched is why nothing moves at first."""
        if not self._may_see_models or time.monotonic() < self._models_seen + 1:
            return
        self._models_seen = time.monotonic()
        try:
            rooms = self._muniment.get("/health")["rooms"]
        except (Unauthenticated, Forbidden):  # who may not look at the house waits without knowing why
            self._may_see_models = False
            return
        for name, told in rooms.get("models", {}).get("preparing", {}).items():
            unit = MEGABYTE if told["unit"] == "bytes" else 1
            total = told["total"] // unit if told["total"] else None
            label = f"model {name}: {told['step']}" + (" (MB)" if unit == MEGABYTE else "")
            self._progress.show(label, told["done"] // unit, total)

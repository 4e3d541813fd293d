"""Waiting for what was uploaded to become searchable, and knowing when to stop waiting."""

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from muniment.cli.terminal import Steps, shown
from muniment.documents.contract import RunCancelled
from muniment.kernel.problems import Forbidden, Unauthenticated, Unavailable
from muniment.sdk import Muniment

POLL_SECONDS = 0.3
STILL_SECONDS = 4.0
"""After so long without progress the runs are looked at one by one."""

ATTEMPTS = 3
"""A run that has failed so often, and waits for its next attempt, is left to the server."""

LOOKS = 20
"""Runs of earlier uploads that are looked at in one round."""

OVER = frozenset({"succeeded", "failed", "cancelled"})

Answer = Mapping[str, Any]
"""What the API says of an upload: a run for all of it, and its documents, each with a run of its own."""

Ended = Mapping[str, Any]
"""The runs that did not succeed, by id; those that still wait for their next attempt among them."""


def outcome_of(document: Mapping[str, Any], ended: Ended | None) -> tuple[str, dict[str, Any] | None]:
    """What became of an uploaded document, in a word, and its problem. `ended` None: nobody waited for it."""
    if problem := document.get("problem"):
        return "failed", problem
    if document["run"] is None:
        return "unchanged", None
    if ended is None:
        return "accepted", None
    run = ended.get(document["run"])
    if run is None:
        return ("added" if document["version"] == 1 else "updated"), None
    problem = run["problem"] or RunCancelled(f"its run was {run['state']}").document()
    return ("failed" if run["state"] in OVER else "waiting"), problem


def earlier_runs(muniment: Muniment, collection: str, answers: Sequence[Answer]) -> dict[str, str]:
    """By document the run of an earlier upload, where that is all that this one is about and is not over."""
    documents = [document for answer in answers for document in answer["documents"]]
    known = {document["id"] for document in documents if _is_known(document)}
    own = {document["run"] for document in documents}
    return {
        run["document"]: run["id"]
        for state in (("queued", "running") if known else ())
        for run in muniment.pages("/api/v1/runs", state=state, kind="ingest", collection=collection, limit=500)
        if run["document"] in known and run["id"] not in own
    }


def with_runs(answers: Sequence[Answer], earlier: Mapping[str, str]) -> list[Answer]:
    """The answers, where the documents of earlier uploads have these runs."""
    return [
        {
            **answer,
            "documents": [
                {**document, "run": earlier.get(document["id"])} if _is_known(document) else document
                for document in answer["documents"]
            ],
        }
        for answer in answers
    ]


def _is_known(document: Mapping[str, Any]) -> bool:
    return document["run"] is None and not document.get("problem")


def wait(muniment: Muniment, answers: Sequence[Answer], progress: Steps, earlier: Collection[str] = ()) -> Ended:
    """Wait until the runs of all uploads, and those of earlier ones, are over, or can only be waited for."""
    try:
        return _Watch(muniment, answers, progress, earlier).wait()
    except Unavailable as broken:
        kept = "what was uploaded is kept, and becomes searchable once the server runs again"
        raise Unavailable(f"{broken.detail}; {kept}", **broken.extra) from broken


class _Watch:
    """The runs that are not over, and when one of them last moved."""

    def __init__(
        self, muniment: Muniment, answers: Sequence[Answer], progress: Steps, earlier: Collection[str]
    ) -> None:
        self._muniment, self._progress = muniment, progress
        self._members = {a["run"]: [d["run"] for d in a["documents"] if d["run"]] for a in answers if a["run"]}
        self._earlier = deque(earlier)
        self._total = sum(len(a["documents"]) for a in answers)
        idle = self._total - len(earlier) - sum(len(members) for members in self._members.values())
        self._done = dict.fromkeys(self._members, 0) | {"": idle}
        self._moved, self._models_seen, self._may_see_models = time.monotonic(), 0.0, True

    def wait(self) -> Ended:
        """Raises the server's Problem."""
        unwell: dict[str, Any] = {}
        waiting = list(self._members)
        while waiting or self._earlier:
            unwell |= self._look_at_earlier()
            for run in list(waiting):
                told = self._muniment.get(f"/api/v1/runs/{run}")
                self._note(run, told)
                if told["state"] in OVER:
                    waiting.remove(run)
                    if told["state"] != "succeeded":
                        unwell |= self._unwell(self._members[run])
            self._progress.show("making searchable", sum(self._done.values()), self._total)
            still = time.monotonic() - self._moved
            if not waiting and not self._earlier:
                break
            if still > POLL_SECONDS:
                self._show_models()
            if still > STILL_SECONDS:
                self._moved = time.monotonic()
                if all(self._stuck(members) for members in self._open(waiting)):
                    return unwell | {
                        k: v for members in self._open(waiting) for k, v in self._unwell(members).items()
                    }
            time.sleep(POLL_SECONDS)
        return unwell

    def _open(self, waiting: Sequence[str]) -> list[list[str]]:
        earlier = [list(self._earlier)] if self._earlier else []
        return [*(self._members[run] for run in waiting), *earlier]

    def _look_at_earlier(self) -> dict[str, Any]:
        """Some of the runs of earlier uploads, in turn; those that did not succeed."""
        unwell: dict[str, Any] = {}
        for _ in range(min(LOOKS, len(self._earlier))):
            run = self._earlier.popleft()
            told = self._muniment.get(f"/api/v1/runs/{run}")
            if told["state"] not in OVER:
                self._earlier.append(run)
                continue
            self._done[""] += 1
            self._moved = time.monotonic()
            if told["state"] != "succeeded":
                unwell[run] = told
        return unwell

    def _note(self, run: str, told: Mapping[str, Any]) -> None:
        one = len(self._members[run]) == 1
        done = int(told["state"] in OVER) if one else told["progress"]["done"]
        if done != self._done[run]:
            self._moved = time.monotonic()
        self._done[run] = done

    def _unwell(self, members: Sequence[str]) -> dict[str, Any]:
        """Those of the runs that did not succeed."""
        told = {member: self._muniment.get(f"/api/v1/runs/{member}") for member in members}
        return {member: run for member, run in told.items() if run["state"] != "succeeded"}

    def _stuck(self, members: Sequence[str]) -> bool:
        """Whether the first of the runs that is not over waits after several failures."""
        for member in members:
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
            self._progress.show(*shown(f"model {name}: {told['step']}", told["done"], told["total"], told["unit"]))

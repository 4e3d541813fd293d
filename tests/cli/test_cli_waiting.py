"""When `add` stops waiting, and what it says of each file then."""

import pytest

from muniment.cli import waiting
from muniment.cli.terminal import Steps
from muniment.cli.waiting import earlier_runs, outcome_of, wait, with_runs
from muniment.kernel.problems import Forbidden, Unavailable

PROBLEM = {"type": "urn:muniment:problem:model-unavailable", "detail": "no model", "title": "Model unavailable"}
ANSWER = {
    "run": "run_batch",
    "documents": [
        {"id": "doc_1", "run": "run_1", "version": 1, "duplicate": False, "problem": None},
        {"id": "doc_2", "run": "run_2", "version": 2, "duplicate": False, "problem": None},
        {"id": "doc_3", "run": None, "version": 1, "duplicate": True, "problem": None},
    ],
}


class Server:
    """Runs in the states given, and a house that does not let everyone look at it."""

    def __init__(self, **states) -> None:
        self.states, self.asked = states, []

    def get(self, path):
        self.asked.append(path)
        if path == "/health":
            raise Forbidden("not for you")
        if self.states is None:
            raise Unavailable("no answer")
        state = self.states[path.rsplit("/", 1)[1]]
        problem = PROBLEM if state in ("queued", "failed") else None
        progress = {"done": 1, "total": 2, "unit": "documents"}
        return {"state": state, "problem": problem, "attempts": 3, "progress": progress}

    def pages(self, path, *, state, **_):
        self.asked.append(path)
        open_runs = {run: "doc_" + run[-1] for run, told in self.states.items() if told == state}
        return [{"id": run, "document": document} for run, document in open_runs.items()]


class Slow(Server):
    """What an earlier upload began ends once it was asked for several times."""

    def get(self, path):
        told = super().get(path)
        if path.endswith("run_3") and self.asked.count(path) >= 4:
            self.states["run_3"] = "succeeded"
        return told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(waiting, "STILL_SECONDS", 0.05)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)


def outcomes(server):
    earlier = earlier_runs(server, "c", [ANSWER])
    ended = wait(server, [ANSWER], Steps(None), earlier.values())
    (answer,) = with_runs([ANSWER], earlier)
    return [outcome_of(document, ended)[0] for document in answer["documents"]]


def test_all_went_well():
    assert outcomes(Server(run_batch="succeeded")) == ["added", "updated", "unchanged"]


def test_a_file_that_failed_is_told_alone():
    server = Server(run_batch="failed", run_1="succeeded", run_2="failed")
    assert outcomes(server) == ["added", "failed", "unchanged"]


def test_what_only_time_helps_is_left_to_the_server():
    server = Server(run_batch="running", run_1="succeeded", run_2="queued")
    assert outcomes(server) == ["added", "waiting", "unchanged"]
    assert server.asked.count("/health") == 1, "who may not look is not asked to look again"


def test_a_server_that_goes_away_keeps_what_it_took():
    server = Server()
    server.states = None
    with pytest.raises(Unavailable, match="is kept"):
        wait(server, [ANSWER], Steps(None))


def test_nobody_waited():
    assert outcome_of(ANSWER["documents"][0], None) == ("accepted", None)


def test_what_an_earlier_upload_began_is_waited_for():
    done = {"run_batch": "succeeded", "run_1": "succeeded", "run_2": "succeeded"}
    assert outcomes(Slow(**done, run_3="running")) == ["added", "updated", "added"]
    assert outcomes(Server(**done, run_3="queued")) == ["added", "updated", "waiting"]
    assert outcomes(Server(**done, run_9="running")) == ["added", "updated", "unchanged"]


def test_nothing_is_asked_where_all_is_new():
    server = Server()
    assert earlier_runs(server, "c", [{**ANSWER, "documents": ANSWER["documents"][:2]}]) == {}
    assert server.asked == []

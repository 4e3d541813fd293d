"""Commands on documents, collections, people, keys, runs and servers, on a running house."""

import json
import stat
from pathlib import Path

import pytest

from kit.running import ADMIN_PASSWORD, RunningHouse
from muniment.cli.profiles import profiles_file


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.fixture
def leases(muniment, tmp_path: Path):
    """A collection of one document, named after the test."""

    def make(collection: str) -> str:
        file = tmp_path / "leases.md"
        file.write_text("# Leases\n\nThe vault renews every lease each ten seconds.\n")
        assert muniment("add", str(file), "-c", collection).returncode == 0
        return f"{collection}/leases.md"

    return make


def test_a_document_is_listed_shown_read_and_deleted(muniment, leases, tmp_path):
    document = leases("resources")
    listed = muniment("documents", "list", "resources")
    assert lines(listed.stdout)[0][:2] == ["KEY", "STATE"]
    assert lines(listed.stdout)[1][:4] == ["leases.md", "current", "1", "1"]
    shown = muniment("documents", "show", document)
    assert "Leases" in shown.stdout
    assert "problem" not in shown.stdout
    assert muniment("documents", "text", document).stdout.startswith("# Leases\n\nThe vault")
    history = json.loads(muniment("documents", "history", document, "--json").stdout)
    assert [(v["number"], v["state"]) for v in history] == [(1, "current")]
    copy = tmp_path / "copy.md"
    assert muniment("documents", "download", document, "-o", str(copy)).returncode == 0
    assert copy.read_text().startswith("# Leases")
    again = muniment("documents", "download", document, "-o", str(copy))
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert muniment("documents", "delete", document).stdout == f"deleted {document}\n"
    gone = muniment("documents", "show", document)
    assert gone.returncode == 1
    assert "no document resources/leases.md that you may read" in gone.stderr


def test_a_list_is_cut_at_its_limit_and_says_so(muniment, tmp_path):
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text(f"Text of {name}.")
    muniment("add", str(tmp_path), "-c", "cut")
    cut = muniment("documents", "list", "cut", "--limit", "2")
    assert len(cut.stdout.splitlines()) == 3
    assert "there are more" in cut.stderr
    told = json.loads(muniment("documents", "list", "cut", "--limit", "2", "--json").stdout)
    assert [d["key"] for d in told["items"]] == ["a.md", "b.md"]
    assert told["next_cursor"]
    everywhere = muniment("documents", "list", "--limit", "500")
    assert {"cut/a.md", "cut/b.md", "cut/c.md"} <= {row[0] for row in lines(everywhere.stdout)}
    prefixed = muniment("documents", "list", "cut", "--key-prefix", "b", "--json")
    assert [d["key"] for d in json.loads(prefixed.stdout)["items"]] == ["b.md"]


def test_access_is_shown_and_changed(muniment, leases):
    document = leases("opened")
    muniment("users", "create", "reader-of-opened", given="a long password 1\n")
    opened = muniment(
        "documents", "access", document, "--grant", "user:reader-of-opened", "--level", "restricted", "--json"
    )
    assert json.loads(opened.stdout)["grants"] == ["user:reader-of-opened"]
    closed = muniment("documents", "access", document, "--revoke", "user:reader-of-opened", "--json")
    assert json.loads(closed.stdout) | {"owner": ""} == {"access_level": "restricted", "owner": "", "grants": []}
    never = muniment("documents", "access", document, "--revoke", "group:everyone")
    assert "was not granted" in never.stderr


def test_collections_are_made_changed_and_deleted(muniment):
    made = muniment("collections", "create", "drafts", "--title", "Drafts", "--member", "group:everyone")
    assert "Drafts" in made.stdout
    muniment("collections", "update", "drafts", "--remove-member", "group:everyone", "--title", "Sketches")
    told = json.loads(muniment("collections", "show", "drafts", "--json").stdout)
    assert told["title"] == "Sketches"
    assert told["members"] == ["user:admin"]
    assert any(row[0] == "drafts" for row in lines(muniment("collections", "list").stdout))
    gone = muniment("collections", "delete", "drafts")
    assert gone.stdout.startswith("deleted drafts")
    run = gone.stdout.split("(")[1].split(")")[0]
    assert muniment("runs", "watch", run).returncode == 0
    assert muniment("collections", "show", "drafts").returncode == 1


def test_people_and_keys(muniment):
    made = muniment(
        "users", "create", "grace", "--role", "editor", "--clearance", "confidential", given="long enough 1\n"
    )
    assert made.returncode == 0
    assert "long enough" not in made.stdout
    muniment("groups", "create", "navy", "--member", "user:grace")
    assert ["navy", "user:grace"] in lines(muniment("groups", "list").stdout)
    muniment("groups", "remove", "navy", "user:grace")
    assert ["navy"] in lines(muniment("groups", "list").stdout)
    assert json.loads(muniment("users", "update", "grace", "--role", "viewer", "--json").stdout)["roles"] == [
        "viewer"
    ]
    assert muniment("users", "delete", "grace").stdout == "deleted grace\n"
    assert "no user grace" in muniment("users", "show", "grace").stderr
    key = json.loads(
        muniment("keys", "create", "nightly", "--scope", "documents:read", "--days", "3", "--json").stdout
    )
    assert key["key"].startswith("mk_")
    assert key["key"] not in muniment("keys", "list").stdout
    assert muniment("keys", "delete", "nightly").returncode == 0


def test_a_wrong_role_is_told_by_the_server_and_a_missing_argument_by_the_command(muniment):
    wrong = muniment("users", "create", "x", "--role", "king", given="long enough 1\n")
    assert wrong.returncode == 1
    assert "roles" in wrong.stderr
    assert muniment("users", "create").returncode == 2
    assert muniment("dead-letters", "retry").returncode == 2


def test_runs_are_listed_with_their_reasons(muniment, tmp_path):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 and no more")
    assert muniment("add", str(broken), "-c", "failing").returncode == 1
    listed = muniment("runs", "list", "--state", "failed", "-c", "failing", "--json")
    run = next(r for r in json.loads(listed.stdout)["items"] if r["kind"] == "ingest")
    shown = muniment("runs", "show", run["id"])
    assert "damaged" in shown.stdout
    assert muniment("runs", "retry", run["id"]).returncode == 0
    watched = muniment("runs", "watch", run["id"])
    assert watched.returncode == 1
    assert "failed" in watched.stdout


def test_signing_in_keeps_a_key_that_only_the_user_can_read(
    command, house: RunningHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    wrong = command("login", house.address, "--username", "admin", given="wrong\n")
    assert wrong.returncode == 1
    signed = command("login", house.address, "--username", "admin", "--name", "work", given=f"{ADMIN_PASSWORD}\n")
    assert signed.returncode == 0, signed.stderr
    assert "--server work" in signed.stdout
    assert stat.S_IMODE(profiles_file().stat().st_mode) == 0o600
    kept = json.loads(profiles_file().read_text())["profiles"][0]
    assert kept["key"].startswith("mk_")
    assert ADMIN_PASSWORD not in profiles_file().read_text()
    assert command("collections", "list", "--server", "work").returncode == 0
    assert command("collections", "list", MUNIMENT_SERVER=house.address).returncode == 0
    assert ["work", "admin", house.address] in lines(command("servers").stdout)
    assert command("logout", "work").returncode == 0
    assert command("collections", "list", "--server", house.address).returncode == 1
    assert command("logout", "work").returncode == 1

"""What stands in the operator's way: one line with the cure, exit code 1, nothing touched."""

import json
import os
import signal
import socket
import sqlite3
import time

import pytest

from muniment.app import open_house
from muniment.documents.contract import DocumentsStatus
from muniment.kernel.migrations import NewerVersion
from muniment.kernel.settings import Configuration
from muniment.process import _at_work
from muniment.runfile import Running, read_run_file


def refused(result, *words: str) -> None:
    assert result.returncode == 1, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


def test_a_taken_port(alone, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(alone("up", "--port", str(taken.getsockname()[1])), "in use", "--port")
    assert not list((tmp_path / "data").glob("*.db"))


def test_a_data_folder_that_cannot_be_written(alone, tmp_path):
    (tmp_path / "file").touch()
    for folder in (str(tmp_path / "file"), "/proc/nowhere"):
        refused(alone("up", MUNIMENT_DATA=folder), folder, "--data")
        refused(alone("search", "x", MUNIMENT_DATA=folder), folder, "--data")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MUNIMENT_PROT": "1"}, ["MUNIMENT_PROT", "config show"]),
        ({"MUNIMENT_LOG_LEVEL": "loud"}, ["MUNIMENT_LOG_LEVEL"]),
        ({"MUNIMENT_AT__EMBEDDING": "http://127.0.0.1:1"}, ["MUNIMENT_SERVICE_TOKEN"]),
        (
            {"MUNIMENT_AT__EMBEDDING": "nonsense", "MUNIMENT_SERVICE_TOKEN": "a long secret of tests"},
            ["at.embedding", "http://"],
        ),
    ],
)
def test_settings_that_do_not_fit(alone, tmp_path, settings, words):
    refused(alone("up", "--port", "0", **settings), *words)
    assert not list((tmp_path / "data").glob("*.db"))


def test_a_broken_settings_file_and_an_unknown_room(alone, tmp_path):
    file = tmp_path / "data" / "muniment.toml"
    file.parent.mkdir()
    file.write_text("port = [")
    refused(alone("up"), str(file), "mend")
    file.unlink()
    refused(alone("serve", "attic"), "attic", "embedding")


async def test_a_folder_of_a_newer_version_is_left_as_it_is(tmp_path):
    configuration = Configuration.load(environment={}, flags={"data": tmp_path})
    async with open_house(configuration):
        pass
    with sqlite3.connect(tmp_path / "documents.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(NewerVersion, match=r"9999.*newer version"):
        async with open_house(configuration):
            pass


def test_config_show_tells_where_from_and_no_secrets(alone):
    secrets = {"MUNIMENT_DATABASE_URL": "postgresql://u:hush@h/x", "MUNIMENT_ADMIN_PASSWORD": "hush"}
    shown = alone("config", "show", "--json", MUNIMENT_PORT="9", **secrets)
    assert "hush" not in shown.stdout
    assert json.loads(shown.stdout)["port"] == {"value": 9, "source": "MUNIMENT_PORT"}


def test_the_first_command_starts_a_server_whose_log_holds_no_password(process, tmp_path):
    data = tmp_path / "data"
    first = process("search", "anything")
    assert first.returncode == 0, first.stderr
    assert "users password admin" in first.stderr
    log = (data / "background.log").read_text()
    assert "shown this once" not in log
    running = read_run_file(data)
    assert running is not None
    assert (data / "run.json").stat().st_mode & 0o777 == 0o600
    os.kill(running.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while read_run_file(data) is not None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        second = process("search", "anything")
        assert second.returncode == 0, second.stderr
        assert "users password" not in second.stderr
    finally:
        stopped = process("stop", "--json")
    assert json.loads(stopped.stdout)["pid"] != running.pid
    assert read_run_file(data) is None
    refused(process("stop"), "nothing runs", "muniment up")


def test_a_password_is_set_by_hand_and_a_weak_one_is_refused(alone):
    refused(alone("users", "password", "admin", given="short\n"), "password")
    done = alone("users", "password", "admin", given="a longer password\n")
    assert (done.returncode, done.stdout) == (0, "the password of admin is changed\n")


async def test_a_server_is_not_idle_while_a_run_waits():
    class Room:
        def __init__(self) -> None:
            self.runs = {"queued": 1, "running": 0, "succeeded": 5}

        async def get(self, _):
            return self

        async def status(self, _):
            return DocumentsStatus(documents=1, chunks=1, versions={}, runs=self.runs)

    room = Room()
    assert await _at_work(room)
    room.runs = {"queued": 0, "running": 0, "succeeded": 6}
    assert not await _at_work(room)


def test_a_run_file_that_a_killed_server_left_names_nobody(tmp_path):
    left = Running(address="http://127.0.0.1:1", pid=os.getpid(), key="mk_left")
    (tmp_path / "run.json").write_text(left.model_dump_json())
    assert read_run_file(tmp_path) is None


def test_doctor_names_what_is_wrong_on_the_machine(alone, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path))
    credentials = tmp_path / "config" / "muniment" / "credentials.json"
    credentials.parent.mkdir(parents=True)
    credentials.write_text('{"profiles": []}')
    credentials.chmod(0o644)
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "documents.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.close()
    (data / "identity.db").write_bytes(b"no database")
    told = alone("doctor", "--json")
    assert told.returncode == 1
    findings = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert "chmod 600" in findings["sign-ins"]["cure"]
    assert "newer Muniment" in findings["data of documents"]["cure"]
    assert "cannot be read" in findings["data of identity"]["found"]
    assert "apt install" in findings["pictures and scans"]["cure"]
    assert findings["pictures and scans"]["ok"]


def test_doctor_proves_the_index_of_a_running_server(muniment, tmp_path):
    (tmp_path / "a.md").write_text("The vault renews every lease.")
    muniment("add", str(tmp_path / "a.md"), "-c", "proven")
    told = muniment("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert "agree" in findings["index"]["found"]
    assert "dead letters" in findings

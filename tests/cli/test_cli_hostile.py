"""Whatever answers at the server's address: one line and exit code 1, no trace, no control characters, no file."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
CONTROL = "\x1b]0;title\x07\x1b[2J\x85"
DEEP = b"[" * 100_000 + b"]" * 100_000
COMMANDS = (
    "search x", "ask x", "status", "documents list c", "documents show c/k", "documents text doc_1",
    "documents access doc_1 --grant user:a", "collections show c", "collections update c --add-member user:a",
    "users list", "keys create k", "runs watch r", "runs show r", "dead-letters retry --all", "models list",
)  # fmt: skip
SHAPES = {
    "another": (200, b"{}"),
    "nothing": (200, b""),
    "a list": (200, b"[]"),
    "deep": (200, DEEP),
    "no JSON": (200, b'{"items": [{"id": ' + b"9" * 6000 + b"}]}"),
    "items of another": (200, b'{"items": [null], "hits": [{}], "next_cursor": null}'),
    "elsewhere": (302, b"{}"),
    "an odd problem": (422, json.dumps({"type": CONTROL, "detail": CONTROL, "errors": [1, CONTROL]}).encode()),
    "a problem's insides": (404, b'{"type": "urn:muniment:problem:invalid", "self": 1, "errors": 5}'),
    "a deep problem": (429, b'{"type": "x", "a": ' + DEEP + b"}"),
}


class _Server(ThreadingHTTPServer):
    answer: tuple[int, bytes] = (200, b"")


class _Answers(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        status, body = self.server.answer
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(status)
        self.send_header("location", "http://127.0.0.1:1/")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def strange() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def at(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_of_another_shape_is_one_line(
    shape: str, strange: _Server, command: Command, tmp_path: Path
) -> None:
    strange.answer = SHAPES[shape]
    for line in COMMANDS:
        told = command(*line.split(), "--server", at(strange), MUNIMENT_DATA=str(tmp_path))
        said = told.stdout + told.stderr
        # Some of them may be told of nothing; none of them ends with a trace, which would end this test.
        assert told.returncode == 1 or (SHAPES[shape][0] == 200 and line != "search x"), (line, said)
        assert "\x1b" not in said, (line, said)
        assert "\x07" not in said, (line, said)


def test_fields_that_would_move_the_terminal_do_not(strange: _Server, command: Command) -> None:
    names = "id key title state name kind created_at collection status username roles clearance groups"
    item = dict.fromkeys(names.split(), CONTROL)
    strange.answer = (200, json.dumps({"items": [item], "next_cursor": None, **item}).encode())
    for line in ("users list", "users show x", "collections show x", "models list", "runs list", "servers"):
        told = command(*line.split(), *(["--server", at(strange)] if line != "servers" else []))
        assert "\x1b" not in told.stdout + told.stderr, line


@pytest.mark.parametrize("shape", ["an odd problem", "elsewhere"])
def test_a_download_that_fails_leaves_no_file(
    shape: str, strange: _Server, command: Command, tmp_path: Path
) -> None:
    strange.answer = SHAPES[shape]
    told = command("documents", "download", "doc_1", "-o", str(tmp_path / "a.pdf"), "--server", at(strange))
    assert told.returncode == 1
    assert not list(tmp_path.iterdir())


def test_a_strange_sign_in_keeps_nothing(
    strange: _Server, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for answer in ({"access_token": 5}, {"access_token": "t", "key": 7, "id": 7}):
        strange.answer = (200, json.dumps(answer).encode())
        told = command("login", at(strange), "--username", "ada", given="a password\n")
        assert (told.returncode, told.stdout) == (1, "")
        assert "not as this version of Muniment does" in told.stderr
    assert not list(tmp_path.iterdir())


def test_config_show_hides_passwords_wherever_an_address_holds_them(alone: Command) -> None:
    settings = {
        "MUNIMENT_DATABASE_URL": "postgresql://u:p@ss-hidden@db/x?password=hidden",
        "MUNIMENT_BLOBS_URL": "s3://bucket?region=here&secret_access_key=hidden",
        "MUNIMENT_AT__VECTORS": "http://u:hidden@rooms:1",
    }
    for how in ([], ["--json"]):
        told = alone("config", "show", *how, **settings)
        assert told.returncode == 0
        assert "hidden" not in told.stdout + told.stderr
        assert "region=here" in told.stdout

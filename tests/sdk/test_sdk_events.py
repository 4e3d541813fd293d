"""Event streams as the client reads them, from a server that answers one request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from muniment.kernel.problems import Unavailable
from muniment.sdk import Muniment


@contextmanager
def answering(*pieces: bytes) -> Iterator[str]:
    """The address of a server that answers with these pieces."""

    class Once(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Once)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        thread.join(5)
        server.server_close()


def frame(event: str, data: object) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x1e", "é"])
def test_what_parts_lines_elsewhere_stands_in_the_data(odd: str) -> None:
    said = [("sentence", {"text": f"one{odd}two"}), ("done", {"answer": odd})]
    whole = b": still here\n\n" + b"".join(frame(*each) for each in said)
    with answering(whole[:31], whole[31:]) as address, Muniment(address) as muniment:
        assert list(muniment.events("/api/v1/ask", {})) == said


def test_a_stream_that_breaks_off_is_unavailable() -> None:
    with (
        answering(frame("sentence", {})) as address,
        Muniment(address) as muniment,
        pytest.raises(Unavailable),
    ):
        list(muniment.events("/api/v1/ask", {}))

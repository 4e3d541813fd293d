"""`make demo`: an invented company's handbook, three questions, two people, and how their answers differ."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.rule import Rule
from rich.text import Text

from muniment.cli.terminal import footnote_line, out, sentence_text
from muniment.kernel.problems import Unavailable
from muniment.runfile import Running, read_run_file
from muniment.sdk import Muniment

HERE = Path(__file__).parent
DATA = HERE.parent / ".demo" / "data"
START_SECONDS = 60

QUESTIONS = (
    "What will happen to the Leeds office?",
    "Why were the customer API keys replaced?",
    "What is the salary range for a senior engineer?",
)
PEOPLE = {"ben": "an employee", "ada": "a manager, who also reads the confidential pages"}
RESTRICTED = ("board-minutes-2026-09-24.txt", "project-lantern.pdf")


def main() -> None:
    """Start a fresh Muniment, fill it, ask, and go on serving while someone watches.

    `DEMO_PICTURE` names a file for a picture of what the terminal showed: that is how the README got its own.
    """
    picture = os.environ.get("DEMO_PICTURE")
    out.record, out.soft_wrap = picture is not None, picture is None
    shutil.rmtree(DATA.parent, ignore_errors=True)
    DATA.mkdir(parents=True)
    password = secrets.token_urlsafe(9)
    with _server(password) as running:
        admin = Muniment(running.address, running.key)
        _people(admin, password)
        _fill(admin, running)
        for question in QUESTIONS:
            out.print(Rule(Text(question, "bold"), align="left"))
            for name, who in PEOPLE.items():
                with Muniment(running.address).login(name, password) as person:
                    _ask(person, name, who, question)
        out.print(Rule())
        if picture is not None:
            svg = out.export_svg(title="make demo")
            Path(picture).write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), "utf-8")
        watched = sys.stdout.isatty() and not os.environ.get("DEMO_ONCE")
        if watched:
            out.print(f"Muniment runs at [bold]{running.address}[/bold]  (API: {running.address}/docs)")
        out.print(f"Users: admin, ada and ben, with the password {password}. Ask on:")
        command = f"muniment ask --data {DATA.parent.name}/{DATA.name}"
        out.print(f'  .venv/bin/{command} "{QUESTIONS[0]}"')
        if watched:
            out.print("Ctrl-C ends it.")
            signal.pause()
        elif not os.environ.get("DEMO_ONCE"):
            out.print("No terminal watches: the server ends with this script, and the commands start another.")


@contextmanager
def _server(password: str) -> Iterator[Running]:
    out.print("starting Muniment …")
    settings = {"MUNIMENT_ADMIN_PASSWORD": password}
    command = [sys.executable, "-m", "muniment", "up", "--data", str(DATA), "--port", "0"]
    with (DATA.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        yield _started(process)
    except KeyboardInterrupt:
        out.print("\nstopping")
    finally:
        process.terminate()
        process.wait(30)


def _started(process: subprocess.Popen[bytes]) -> Running:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if (running := read_run_file(DATA)) is not None:
            return running
        time.sleep(0.05)
    said = (DATA.parent / "server.log").read_text("utf-8", "replace").strip()
    raise Unavailable(f"Muniment did not start: {said or 'no answer'}")


def _people(admin: Muniment, password: str) -> None:
    admin.post("/api/v1/groups", {"name": "leadership"})
    admin.post("/api/v1/users", {"username": "ben", "password": password, "clearance": "internal"})
    manager = {"username": "ada", "password": password, "clearance": "restricted", "groups": ["leadership"]}
    admin.post("/api/v1/users", manager)
    admin.post("/api/v1/collections", {"name": "handbook", "members": ["group:everyone"]})
    closed = {"name": "handbook-confidential", "members": ["group:leadership"], "access_level": "confidential"}
    admin.post("/api/v1/collections", closed)


def _fill(admin: Muniment, running: Running) -> None:
    add = [sys.executable, "-m", "muniment", "add", "--server", running.address]
    settings = os.environ | {"MUNIMENT_API_KEY": running.key}
    confidential = HERE / "handbook" / "confidential"
    restricted = [str(confidential / name) for name in RESTRICTED]
    for paths, options in (
        ([str(HERE / "handbook" / "everyone")], ["-c", "handbook"]),
        (restricted, ["-c", "handbook-confidential", "--access-level", "restricted"]),
        (
            [str(p) for p in sorted(confidential.iterdir()) if p.name not in RESTRICTED],
            ["-c", "handbook-confidential"],
        ),
    ):
        subprocess.run([*add, *paths, *options], check=True, env=settings)
    out.print(
        f"{sum(c['documents'] or 0 for c in admin.pages('/api/v1/collections'))} documents can be searched\n"
    )


def _ask(person: Muniment, name: str, who: str, question: str) -> None:
    answer = person.post("/api/v1/ask", {"question": question})
    out.print(Text(f"{name}, {who}:", "green"))
    if answer["abstained"]:
        out.print(Text(answer["answer"]))
    for sentence in answer["sentences"]:
        out.print(sentence_text(sentence))
    for footnote in answer["footnotes"]:
        out.print(footnote_line(footnote))
    out.print()


if __name__ == "__main__":
    main()

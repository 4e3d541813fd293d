"""Other people's programs, each in an environment of its own under `bench/.envs/`, made when first asked for."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENVIRONMENTS = Path(__file__).parent / ".envs"

PIPELINES = {
    "llama-index": (
        "llama-index-core==0.14.25",
        "llama-index-embeddings-huggingface==0.8.0",
        "llama-index-retrievers-bm25==0.8.0",
    ),
    "haystack": ("haystack-ai==3.4.0", "sentence-transformers-haystack==2.0.0"),
    "txtai": ("txtai==9.14.0", "chonkie==1.7.0"),
}
"""What is installed for the peers that index and search, each by its own script in `bench/pipelines/`."""

_MADE = ".requirements"


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The Python of the environment `name`, which holds exactly what pip makes of `requirements`."""
    folder, wanted = ENVIRONMENTS / name, "\n".join(requirements)
    python, made = folder / "bin" / "python", folder / _MADE
    if not made.is_file() or made.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        made.write_text(wanted)
    return python


def is_made(name: str) -> bool:
    """Whether that environment is there, whole."""
    return (ENVIRONMENTS / name / _MADE).is_file()


class Peer:
    """A peer at work in a process of its own: each line it is given, it answers with one line."""

    def __init__(self, python: Path, script: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"},
        )

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def ask(self, line: str = "") -> str:
        """Its answer to the line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer ended with {self._process.wait()}")
        return answer.strip()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def pipeline(name: str, weights: Path, tokens: int) -> Peer:
    """A peer that indexes and searches, with the weights in that folder, in chunks of so many tokens."""
    script = Path(__file__).parent / "pipelines" / f"with_{name.replace('-', '_')}.py"
    return Peer(environment(name, PIPELINES[name]), script, str(weights), str(tokens))


def told(peer: Peer, **told: object) -> dict[str, Any]:
    """What a pipeline answers."""
    answer: dict[str, Any] = json.loads(peer.ask(json.dumps(told)))
    return answer

"""The process that parses and chunks: tasks in on stdin, answers out on stdout, one after the other."""

import json
import os
import resource
import sys
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.contract import ParserLimit
from muniment.documents.parsing.confinement import allow_cpu, confine
from muniment.documents.parsing.model import Chunked, Limits, Parsed
from muniment.documents.parsing.parse import parse
from muniment.documents.parsing.source import Source
from muniment.documents.parsing.task import REPLY, REQUEST, TASK, ParseTask
from muniment.kernel.problems import Problem, Unavailable

MEBIBYTE = 1024 * 1024
_STATUS = Path("/proc/self/status")


def main(memory_mb: int, seconds: float, limits: Limits) -> None:
    """Answer until stdin ends."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not stand between the frames.
    os.dup2(2, 1)
    confine(memory_mb * MEBIBYTE)
    _reply(answers, b"{}", ok=True, last=False)
    last = False
    while not last and (header := tasks.read(REQUEST.size)):
        (length,) = REQUEST.unpack(header)
        allow_cpu(seconds)
        try:
            answer, ok = _work(tasks.read(length), limits).model_dump_json().encode(), True
        except Problem as problem:
            answer, ok = _document(problem), False
        except OSError as failed:
            answer, ok = _document(Unavailable(f"a file that is needed cannot be read: {failed.strerror}")), False
        except MemoryError:
            answer, ok, last = _document(_too_large(memory_mb)), False, True
        last = last or _peak_bytes() > memory_mb * MEBIBYTE / 2
        _reply(answers, answer, ok=ok, last=last)


def _work(raw: bytes, limits: Limits) -> Parsed | Chunked:
    task = TASK.validate_json(raw)
    if isinstance(task, ParseTask):
        return parse(Source(task.path, name=task.name, media_type=task.media_type, limits=limits))
    return chunk(task.parsed, title=task.title, tokenizer=_tokenizer(task.tokenizer), max_tokens=task.max_tokens)


@lru_cache(maxsize=2)
def _tokenizer(path: Path) -> Tokenizer:
    tokenizer: Tokenizer = Tokenizer.from_buffer(path.read_bytes())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _document(problem: Problem) -> bytes:
    return json.dumps(problem.document()).encode()


def _too_large(memory_mb: int) -> ParserLimit:
    return ParserLimit(
        f"parsing took more than {memory_mb} MB of memory; split the file into smaller ones", limit="memory"
    )


def _peak_bytes() -> int:
    """The most memory this process has held, as far as the system tells.

    Linux keeps a parent's `ru_maxrss` over fork and exec; the high-water mark in /proc is the child's own.
    """
    if _STATUS.exists():
        mark = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(mark.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _reply(answers: BinaryIO, answer: bytes, *, ok: bool, last: bool) -> None:
    answers.write(REPLY.pack(len(answer), ok, last) + answer)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Limits.model_validate_json(sys.argv[3]))

"""The process that parses and chunks: tasks in on stdin, answers out on stdout, one after the other."""

import errno
import json
import os
import resource
import sys
import tempfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from tokenizers import Tokenizer

from muniment.documents.chunking.chunk import chunk
from muniment.documents.chunking.recipe import recipe_named
from muniment.documents.parsing.child.confinement import allow_cpu, confine
from muniment.documents.parsing.child.task import (
    REPLY,
    REQUEST,
    SECONDS,
    TASK,
    AnyTask,
    ChunkTask,
    PageTask,
    ParseTask,
    RectanglesTask,
    Said,
)
from muniment.documents.parsing.model import Limits
from muniment.documents.parsing.paged.place import boxes
from muniment.documents.parsing.paged.render import picture
from muniment.documents.parsing.parse import parse
from muniment.documents.parsing.source import Source, too_much_output
from muniment.documents.shapes.problems import FileBroken, ParserLimit
from muniment.kernel.model import Model
from muniment.kernel.problems import Problem, Unavailable

MEBIBYTE = 1024 * 1024
_STATUS = Path("/proc/self/status")
_OF_THE_FILE = frozenset({None, errno.EINVAL, errno.EOVERFLOW})
"""What the libraries' OSErrors bear that are about a file's content, not about reading it."""


class Worker:
    """Answers tasks within bounds."""

    def __init__(self, answers: BinaryIO, memory_mb: int, limits: Limits) -> None:
        self._answers, self._memory_mb, self._limits = answers, memory_mb, limits

    def answer(self, raw: bytes) -> None:
        """Do the task, and say what came of it."""
        try:
            said, answer = Said.ANSWER, self._do(raw)
        except Problem as problem:
            said, answer = Said.PROBLEM, _document(problem)
        except OSError as failed:
            said, answer = Said.PROBLEM, _document(_unreadable(failed))
        except RecursionError:
            said, answer = Said.PROBLEM, _document(_too_deep())
        except MemoryError:
            # Who claims to hold all there is, is replaced.
            self.say(Said.PROBLEM, _document(_too_large(self._memory_mb)), held_mb=self._memory_mb)
            return
        self.say(said, answer, held_mb=_peak_bytes() // MEBIBYTE)

    def say(self, said: Said, answer: bytes, *, held_mb: int = 0) -> None:
        """Send a frame."""
        self._answers.write(REPLY.pack(len(answer), said, held_mb))
        self._answers.write(answer)
        self._answers.flush()

    def _do(self, raw: bytes) -> bytes:
        task = TASK.validate_json(raw)
        allow_cpu(task.seconds)
        answer = self._done(task).model_dump_json().encode()
        if len(answer) > self._limits.output_bytes:
            raise too_much_output(self._limits.output_bytes // 1_000_000)
        return answer

    def _done(self, task: AnyTask) -> Model:
        match task:
            case ParseTask():
                return parse(self._source(task))
            case PageTask():
                return picture(self._source(task), task.number, task.width)
            case RectanglesTask():
                return boxes(task.path, task.drawn)
            case ChunkTask():
                words = _tokenizer(task.tokenizer)
                recipe = recipe_named(task.recipe)
                return chunk(
                    task.parsed, title=task.title, tokenizer=words, max_tokens=task.max_tokens, recipe=recipe
                )

    def _source(self, task: ParseTask | PageTask) -> Source:
        return Source(
            task.path,
            name=task.name,
            media_type=task.media_type,
            limits=self._limits,
            more_time=self._more_time,
        )

    def _more_time(self, seconds: float) -> None:
        allow_cpu(seconds, at_least=True)
        self.say(Said.MORE_TIME, SECONDS.pack(seconds))


def main(memory_mb: int, limits: Limits) -> None:
    """Answer until stdin ends."""
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not stand between the frames.
    os.dup2(2, 1)
    confine(memory_mb * MEBIBYTE)
    # A library that wants a temporary file gets memory: this process writes nothing.
    setattr(tempfile, "TemporaryFile", _in_memory)  # noqa: B010 - what its type allows is of no matter here
    worker = Worker(answers, memory_mb, limits)
    worker.say(Said.ANSWER, b"")
    while header := tasks.read(REQUEST.size):
        (length,) = REQUEST.unpack(header)
        worker.answer(tasks.read(length))


def _in_memory(*_: object, **__: object) -> BytesIO:
    return BytesIO()


@lru_cache(maxsize=2)
def _tokenizer(path: Path) -> Tokenizer:
    tokenizer: Tokenizer = Tokenizer.from_buffer(path.read_bytes())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _document(problem: Problem) -> bytes:
    return json.dumps(problem.document()).encode()


def _unreadable(failed: OSError) -> Problem:
    if failed.errno in _OF_THE_FILE:
        return FileBroken("the file is damaged or cut short; save it anew and upload that")
    return Unavailable(f"a file that is needed cannot be read: {failed.strerror}")


def _too_deep() -> ParserLimit:
    return ParserLimit("the file is nested too deeply; save it in a simpler form", limit="nesting")


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


if __name__ == "__main__":
    main(int(sys.argv[1]), Limits.model_validate_json(sys.argv[2]))

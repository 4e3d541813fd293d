"""Gateway's contract: it is asked by people and programs over HTTP, and by no room."""

from typing import Protocol

from muniment.kernel.problems import Problem


class MediaTypeUnfit(Problem, status=415):
    """The body is of another kind than this address takes."""


class NothingTaken(Problem, status=422):
    """Every file of an upload was refused; `documents` says why, file by file."""


class BodyCut(Problem, status=400):
    """The client went away before its request was whole."""


class Gateway(Protocol):
    """The edge."""

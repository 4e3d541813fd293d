"""Gateway's contract: it is asked by people and programs over HTTP, and by no room."""

from typing import Protocol


class Gateway(Protocol):
    """The edge."""

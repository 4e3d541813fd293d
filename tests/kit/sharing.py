"""Which tests one test process runs together: those that share what is slow to make."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

HOUSES = ("house-many", "house-one")
"""Ids of the forms of the fixture `house`, which takes longer to start than to ask."""
FOLDERS = ("tests/page", "tests/cli")
"""One browser, one house."""
LONG = (*HOUSES, "tests/access", *FOLDERS, "tests/documents/parsing/child", "tests/vectors")
"""What goes first, so that the test processes end at the same time."""


def share_of(nodeid: str) -> str:
    """The house that a test asks, or its folder, or else its file."""
    house = next((name for name in HOUSES if name in nodeid), None)
    path = PurePosixPath(nodeid.partition("::")[0])
    return house or next((folder for folder in FOLDERS if path.is_relative_to(folder)), str(path))


def rank_of(item: pytest.Item) -> int:
    """When its turn is."""
    share = share_of(item.nodeid)
    return next((rank for rank, name in enumerate(LONG) if share.startswith(name)), len(LONG))


class Sharing(LoadScopeScheduling):
    """Hands out whole shares, in the order in which the tests were collected.

    The marks of `--dist loadgroup` would do, but pytest-xdist 3.8 loses them under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)

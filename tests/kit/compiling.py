"""Statements are compiled once in a test process, and not again in each of its databases."""

from typing import Any

from sqlalchemy import Dialect, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

_compiled: LRUCache[Any, Any] = LRUCache(5000)
_known: dict[str, Dialect] = {}
"""What an engine keeps its compiled statements by, once it knows its database."""


def engine_that_knows(url: Any, **options: Any) -> AsyncEngine:
    """As `create_async_engine`, with the statements that others of its kind have compiled."""
    engine = create_async_engine(url, **options)
    made = engine.sync_engine
    if "isolation_level" in options:  # which a dialect remembers
        return engine
    if made.name in _known:
        made.dialect = _known[made.name]
        made._compiled_cache = _compiled
    else:
        own = made.dialect
        event.listen(made, "connect", lambda *_: _known.setdefault(own.name, own), once=True)
    return engine

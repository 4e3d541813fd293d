"""Whether there is room for more: on the disk, and among the documents that wait for their ingestion."""

import asyncio
import shutil

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from muniment.documents.base import Parts
from muniment.documents.contract import QueueFull
from muniment.documents.ingest_store import AT_WORK
from muniment.documents.store import versions
from muniment.kernel.model import now
from muniment.kernel.problems import Unavailable

DISK_SECONDS = 60
"""When to ask again after a full disk: someone has to make room."""

_SOONEST_SECONDS, _LATEST_SECONDS = 2, 600


async def require_space(parts: Parts) -> None:
    """Raises Unavailable when the disk is so full that what is taken might not be kept."""
    least = parts.settings.free_disk_mb
    free = (await asyncio.to_thread(shutil.disk_usage, parts.data)).free // 1_000_000
    if free < least:
        raise Unavailable(
            f"the disk is full: {free} MB are left, and nothing is taken below {least} MB; free some space and "
            "try again",
            retry_after_seconds=DISK_SECONDS,
        )


async def require_room(connection: AsyncConnection, more: int, limit: int) -> None:
    """Raises QueueFull when with so many more documents more than the limit wait."""
    at_work = versions.c.state.in_(AT_WORK)
    waiting = await connection.scalar(select(func.count()).select_from(versions).where(at_work)) or 0
    if waiting + more <= limit:
        return
    # In the order of arrival, whoever waits the longest has waited for about as many as wait now.
    since = await connection.scalar(select(func.min(versions.c.created_at)).where(at_work))
    waited = 0.0 if since is None else (now() - since).total_seconds()
    pause = waited * (waiting + more - limit) / max(waiting, 1)
    raise QueueFull(
        f"{waiting} documents wait for their ingestion, and no more than {limit} may; nothing was taken, try "
        "again later",
        limit_documents=limit,
        retry_after_seconds=round(min(max(pause, _SOONEST_SECONDS), _LATEST_SECONDS)),
    )

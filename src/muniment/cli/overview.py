"""The lines of `muniment status`, from what `/health` tells."""

from collections.abc import Mapping
from typing import Any

KILO = 1000
LEAST_PACE = 5
"""Documents a minute below which nobody can tell when a queue is worked off."""

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def overview(health: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A heading and a line for each part of the house."""
    numbers = health["numbers"]
    rooms: Mapping[str, Any] = health["rooms"]
    well = [name for name, room in rooms.items() if room["status"] == "ok"]
    lines = [("rooms", f"{len(well)} of {len(rooms)} well: {', '.join(well)}")]
    lines += [
        (name, f"{room['status']}: {room.get('detail', '')}")
        for name, room in rooms.items()
        if room["status"] != "ok"
    ]
    if "documents" in numbers:
        lines += _documents(numbers)
    if "points" in numbers:
        indexed = numbers.get("points_indexed", 0)
        graph = f", {indexed:,} of them in a graph" if indexed else ""
        indexes = f"{numbers['indexes']:,} index{'' if numbers['indexes'] == 1 else 'es'}"
        lines.append(("index", f"{numbers['points']:,} points in {indexes}{graph}"))
    if "event_loop_lag_ms" in numbers:
        lines.append(("answers", f"at most {numbers['event_loop_lag_ms']:,} ms late in the last minute"))
    for room in rooms.values():
        for name, told in room.get("preparing", {}).items():
            total = f" of {told['total']:,}" if told["total"] else ""
            lines.append((f"model {name}", f"{told['step']}: {told['done']:,}{total} {told['unit']}"))
        lines += [(f"index {name}", told) for name, told in room.get("building", {}).items()]
    return lines


def _documents(numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    waiting, working = numbers.get("runs_queued", 0), numbers.get("runs_running", 0)
    pace = numbers.get("ingested_last_minute", 0)
    left = (
        f", about {_duration((waiting + working) / pace)} left" if pace >= LEAST_PACE and waiting + working else ""
    )
    kept = numbers.get("versions_retired", 0)
    history = f", {kept:,} replaced versions" if kept else ""
    dead = numbers.get("runs_failed", 0)
    cure = " (`muniment dead-letters list`)" if dead else ""
    held = (
        f"{numbers['documents']:,}, {numbers['chunks']:,} chunks, {_size(numbers.get('size_bytes', 0))}{history}"
    )
    return [
        ("documents", held),
        ("queue", f"{waiting:,} waiting, {working:,} at work, {pace:,} done in the last minute{left}"),
        ("dead letters", f"{dead:,}{cure}"),
    ]


def _duration(minutes: float) -> str:
    return f"{minutes * 60:.0f} s" if minutes < 1 else f"{minutes:.0f} min"


def _size(size_bytes: float) -> str:
    place = 0
    while size_bytes >= KILO and place < len(UNITS) - 1:
        size_bytes, place = size_bytes / KILO, place + 1
    return f"{size_bytes:.{1 if place else 0}f} {UNITS[place]}"

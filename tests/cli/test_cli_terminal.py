"""Progress on a terminal: what is waited for has no count, and is gone once there is something to count."""

import io

import pytest
from rich.console import Console

from muniment.cli import terminal


def test_what_has_no_total_has_no_count_and_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(terminal, "err", console)
    with terminal.steps() as progress:
        bars = progress._progress
        assert bars is not None
        progress.show("waiting", 0, None)
        with console.capture() as waiting:
            console.print(bars.get_renderable())
        progress.show("building", 1, 4)
        with console.capture() as building:
            console.print(bars.get_renderable())
    assert "waiting" in waiting.get()
    assert "?" not in waiting.get()
    assert "waiting" not in building.get()
    assert "1/4" in building.get()


def test_bytes_are_shown_as_megabytes() -> None:
    assert terminal.shown("fetching", 1_500_000, 90_000_001, "bytes") == ("fetching (MB)", 2, 91)
    assert terminal.shown("fetching", 0, None, "bytes") == ("fetching (MB)", 0, None)
    assert terminal.shown("trying", 0, 1, "files") == ("trying", 0, None)

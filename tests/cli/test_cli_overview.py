from muniment.cli.overview import overview

PREPARING = {"minilm": {"step": "fetching", "done": 1, "total": 4, "unit": "MB"}}
HEALTH = {
    "status": "degraded",
    "rooms": {
        "identity": {"status": "ok"},
        "models": {"status": "ok", "preparing": PREPARING},
        "vectors": {"status": "down", "detail": "being restarted"},
    },
    "numbers": {
        "documents": 1240, "chunks": 18_300, "size_bytes": 3_200_000, "versions_retired": 7,
        "ingested_last_minute": 30, "runs_queued": 55, "runs_running": 5, "runs_failed": 2,
        "event_loop_lag_ms": 12,
    },
}  # fmt: skip


def test_one_screen_says_what_is_well_what_is_not_and_when_it_will_be_done():
    told = dict(overview(HEALTH))
    assert told["rooms"] == "2 of 3 well: identity, models"
    assert told["vectors"] == "down: being restarted"
    assert told["documents"] == "1,240, 18,300 chunks, 3.2 MB, 7 replaced versions"
    assert told["queue"] == "55 waiting, 5 at work, 30 done in the last minute, about 2 min left"
    assert told["dead letters"] == "2 (`muniment dead-letters list`)"
    assert told["answers"] == "at most 12 ms late in the last minute"
    assert told["model minilm"] == "fetching: 1 of 4 MB"


def test_nothing_there_is_said_without_guesses():
    numbers = {"documents": 0, "chunks": 0}
    told = dict(overview({"rooms": {}, "numbers": numbers}))
    assert told["documents"] == "0, 0 chunks, 0 bytes"
    assert told["queue"] == "0 waiting, 0 at work, 0 done in the last minute"

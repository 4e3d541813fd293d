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


def test_an_index_that_is_built_says_how_far_it_is():
    numbers = {"points": 30_000, "indexes": 2, "points_indexed": 20_000}
    rooms = {"vectors": {"status": "ok", "building": {"main": "copied 256 of 25,000 points"}}}
    told = dict(overview({"rooms": rooms, "numbers": numbers}))
    assert told["index"] == "30,000 points in 2 indexes, 20,000 of them in a graph"
    assert told["index main"] == "copied 256 of 25,000 points"

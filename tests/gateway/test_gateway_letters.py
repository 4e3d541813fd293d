"""Dead letters of several rooms as one list, and uploads that are refused before their bytes."""

import pytest

from gateway.fakes import ADMIN, AT, MONITOR
from gateway.test_gateway_calls import problem
from muniment.collections.contract import DeadLetter
from muniment.documents.contract import QueueFull
from muniment.kernel.model import Nothing, Page
from muniment.kernel.problems import Unavailable


def letter(room, number):
    return DeadLetter(
        id=f"evt_{room}_{number}",
        kind="document.updated",
        room=room,
        what="event",
        collection=None,
        document=None,
        problem=None,
        attempts=12,
        created_at=AT,
        failed_at=AT,
    )


def listed(room, count):
    """A room's list, whose cursor is the number of the next one."""

    def answer(request):
        first = int(request.cursor or 0)
        last = min(first + request.limit, count)
        items = tuple(letter(room, number) for number in range(first, last))
        return Page[DeadLetter](items=items, next_cursor=str(last) if last < count else None)

    return answer


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
@pytest.mark.parametrize("counts", [(0, 0), (2, 3), (3, 0), (0, 2)])
async def test_all_rooms_letters_are_one_list(house, limit, counts):
    rooms = dict(zip(("documents", "collections"), counts, strict=True))
    made = house({f"{room.title()}.list_dead_letters": listed(room, count) for room, count in rooms.items()})
    found, cursor = [], None
    async with made.client(MONITOR) as http:
        while True:
            asked = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
            page = (await http.get("/api/v1/dead-letters", params=asked)).json()
            found += [item["id"] for item in page["items"]]
            assert len(page["items"]) <= limit
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert found == [f"evt_{room}_{number}" for room, count in rooms.items() for number in range(count)]


async def test_a_letter_is_retried_or_dropped_where_it_lies(house):
    calls = [f"{room}.{do}_dead_letter" for room in ("Documents", "Collections") for do in ("retry", "drop")]
    made = house(dict.fromkeys(calls, Nothing()))
    at = "/api/v1/dead-letters"
    async with made.client(ADMIN) as http:
        assert (await http.post(f"{at}/run_documents_1/retry")).status_code == 204
        assert (await http.delete(f"{at}/evt_documents_2")).status_code == 204
        assert (await http.post(f"{at}/evt_collections_3/retry")).status_code == 204
        for unknown in ("run_vectors_1", "nonsense"):
            problem(await http.delete(f"{at}/{unknown}"), 404, "dead-letter-missing")
        problem(await http.get(at, params={"cursor": "nonsense"}), 422, "invalid")
    asked = [(name, request.id) for name, request, _ in made.asked if "dead_letter" in name]
    assert asked == [
        ("Documents.retry_dead_letter", "run_documents_1"),
        ("Documents.drop_dead_letter", "evt_documents_2"),
        ("Collections.retry_dead_letter", "evt_collections_3"),
    ]


async def test_a_monitor_sees_runs_and_letters_and_changes_none(house):
    made = house({"Documents.list_runs": Page(items=())})
    async with made.client(MONITOR) as http:
        assert (await http.get("/api/v1/runs")).status_code == 200
        problem(await http.post("/api/v1/dead-letters/run_documents_1/retry"), 403, "forbidden")


@pytest.mark.parametrize(
    ("refusal", "status", "kind", "wait"),
    [
        (QueueFull("too many wait", retry_after_seconds=90), 429, "queue-full", "90"),
        (Unavailable("the disk is full", retry_after_seconds=60), 503, "unavailable", "60"),
    ],
)
async def test_an_upload_without_room_is_refused_unread(house, refusal, status, kind, wait, staged_files):
    made = house({"Documents.admit": refusal})
    read = []

    async def body():
        read.append(1)
        yield b"--xyz\r\n"

    async with made.client() as http:
        reply = await http.post(
            "/api/v1/collections/handbook/documents",
            content=body(),
            headers={"content-type": "multipart/form-data; boundary=xyz"},
        )
    problem(reply, status, kind)
    assert reply.headers["retry-after"] == wait
    assert (read, staged_files(), made.asked.of("Documents.upload")) == ([], [], [])

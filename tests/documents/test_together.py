"""Small documents that wait at the same time are ingested together; what is unusual goes its own way."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from kit.office import Office, text_document
from muniment.collections.contract import CollectionRefs, Lookup
from muniment.documents.contract import ById, SetAccess
from muniment.documents.together import Together
from muniment.embedding.contract import Embedded, EmbedPassages
from muniment.kernel.problems import Unavailable
from muniment.vectors.contract import EngineDown, Upsert

FAILED = -1


class Doing:
    """Doubles numbers when it may, and knows which it was asked for together, and which were left."""

    def __init__(self, *, places: int = 1) -> None:
        self.groups: list[list[int]] = []
        self.left: list[int] = []
        self.go = asyncio.Semaphore(0)
        self.at_end: Callable[[], object] = lambda: None
        self.line = Together(
            self.do, weight=lambda n: n, most=10, places=places, failed=FAILED, left=self.note_left
        )

    async def do(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        await self.go.acquire()
        if 9 in numbers:
            raise Unavailable("nine")
        self.at_end()
        return [2 * n for n in numbers]

    async def note_left(self, numbers: Sequence[int]) -> None:
        self.left += numbers

    def asks(self, *numbers: int) -> list[asyncio.Task[int]]:
        return [asyncio.create_task(self.line.take(n)) for n in numbers]


async def idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_comes_first_waits_for_nobody_and_the_rest_go_together() -> None:
    doing = Doing()
    asked = doing.asks(1, 2, 3, 4, 5)
    await idle()
    assert doing.groups == [[1]]
    for _ in range(3):
        doing.go.release()
    assert await asyncio.gather(*asked) == [2, 4, 6, 8, 10]
    assert doing.groups == [[1], [2, 3, 4], [5]], "no more at once than weigh ten"


async def test_as_many_lead_as_there_are_places_and_each_place_is_given_back() -> None:
    doing = Doing(places=2)
    asked = doing.asks(1, 2, 3)
    await idle()
    assert doing.groups == [[1], [2]]
    for _ in range(3):
        doing.go.release()
    await asyncio.gather(*asked)
    more = doing.asks(4, 5)
    await idle()
    assert doing.groups[3:] == [[4], [5]]
    doing.go.release()
    doing.go.release()
    await asyncio.gather(*more)


async def test_who_fails_or_is_cut_off_has_the_others_told_and_hands_the_place_on() -> None:
    doing = Doing()
    first, nine, one, six = doing.asks(1, 9, 1, 6)
    await idle()
    doing.go.release()
    await first
    await idle()
    assert doing.groups[1:] == [[9, 1]]
    doing.go.release()
    with pytest.raises(Unavailable):
        await nine
    assert await one == FAILED
    (seven,) = doing.asks(7)
    await idle()
    assert doing.groups[2:] == [[6]], "the place went on, and seven came too late"
    six.cancel()
    await idle()
    doing.go.release()
    assert await seven == 14


async def test_who_is_cancelled_in_the_line_is_not_done_and_in_a_group_is_left() -> None:
    doing = Doing()
    first, gone, leads, left = doing.asks(1, 2, 3, 4)
    await idle()
    gone.cancel()
    doing.go.release()
    await first
    await idle()
    assert doing.groups[1:] == [[3, 4]]
    left.cancel()
    await idle()
    doing.go.release()
    assert await leads == 6
    assert doing.left == [4]


async def test_who_is_cancelled_as_the_place_comes_to_them_hands_it_on() -> None:
    doing = Doing()
    first, unlucky, last = doing.asks(1, 2, 3)
    await idle()
    doing.go.release()
    while not first.done():
        await asyncio.sleep(0)
        unlucky.cancel()
    doing.go.release()
    assert await asyncio.wait_for(last, 5) == 6


async def test_who_was_cancelled_and_does_not_know_it_yet_is_passed_over() -> None:
    doing = Doing()
    first, gone, two, gone_too, three = doing.asks(1, 2, 2, 2, 3)
    await idle()
    doing.at_end = lambda: (gone.cancel(), gone_too.cancel())
    doing.go.release()
    doing.go.release()
    assert await asyncio.gather(first, two, three) == [2, 4, 6]
    assert doing.groups == [[1], [2, 3]]
    assert doing.left == []


MANY = [text_document(f"{n}.md", f"The probe reads {n}.") for n in range(20)]


async def test_small_documents_share_calls_and_all_are_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, looked_up = office.shelves.lookup, []

    async def lookup(request: Lookup) -> CollectionRefs:
        looked_up.append(request)
        return await plain(request)

    monkeypatch.setattr(office.shelves, "lookup", lookup)
    uploaded = await office.upload("ada", *MANY)
    assert (await office.over("ada", uploaded.run)).state == "succeeded"
    assert len(looked_up) < len(MANY) / 2, "and those that start together look up together"
    assert office.vectors.calls["upsert"] < len(MANY) / 2
    assert len(await office.passages("ben")) == len(MANY)
    await office.settled(lambda: [event.type for event in office.events] == ["document.created"] * len(MANY))
    for document in uploaded.documents:
        run = await office.over("ada", document.run)
        assert run.progress.done == run.progress.total == 1


async def test_of_two_versions_that_wait_together_the_newer_one_is_current(office: Office) -> None:
    first = await office.upload("ada", *MANY)
    second = await office.upload(
        "ada", *(text_document(f"{n}.md", f"The probe read {n} anew.") for n in range(20))
    )
    for uploaded in (first, second):
        assert (await office.over("ada", uploaded.run)).state == "succeeded"
    for document in second.documents:
        there = await office.get("ada", document.id or "")
        assert there.version == 2
        states = {version.number: version.state for version in there.versions}
        assert states == {1: "retired", 2: "current"}
    said = [passage.chunk.text for passage in await office.passages("ben")]
    assert sorted(said) == sorted(f"The probe read {n} anew." for n in range(20))
    await office.settled(lambda: len(office.events) == 2 * len(MANY))
    assert [event.type for event in office.events].count("document.created") == len(MANY)


async def test_what_fails_together_is_done_one_by_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = office.embedding.embed_passages

    async def refuses_crowds(request: EmbedPassages) -> Embedded:
        if len(request.texts) > 1:
            raise Unavailable("too many")
        return await plain(request)

    monkeypatch.setattr(office.embedding, "embed_passages", refuses_crowds)
    uploaded = await office.upload("ada", *MANY)
    assert (await office.over("ada", uploaded.run)).state == "succeeded"
    assert len(await office.passages("ben")) == len(MANY)


async def test_how_much_there_is_to_do_is_told_before_it_is_done(office: Office) -> None:
    office.vectors.fails["upsert"] = EngineDown("down")
    uploaded = await office.upload("ada", *MANY[:4])
    for document in uploaded.documents:
        run = await office.until("ada", document.run, lambda run: run.progress.total is not None)
        assert (run.progress.done, run.progress.total) == (0, 1)


class _Held:
    """Holds every upsert from the second on, until it may go on."""

    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.documents: list[str] = []
        self._plain = office.vectors.upsert
        monkeypatch.setattr(office.vectors, "upsert", self.upsert)

    async def upsert(self, request: Upsert) -> object:
        if len(request.points) > 2:
            self.documents = self.documents or [str(point.payload["document"]) for point in request.points]
            self.reached.set()
            await self.go.wait()
        return await self._plain(request)


@pytest.mark.parametrize("changed", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
async def test_what_is_cancelled_deleted_or_closed_meanwhile_is_so_and_leaves_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, changed: tuple[int, int, int]
) -> None:
    held = _Held(office, monkeypatch)
    uploaded = await office.upload("ada", *MANY)
    await asyncio.wait_for(held.reached.wait(), 10)
    by_id = {document.id: document for document in uploaded.documents}
    cancelled, deleted, closed = (by_id[held.documents[place]] for place in changed)  # the first does it for all
    with office.asking("ada") as room:
        await room.cancel_run(ById(id=cancelled.run or ""))
        await room.delete(ById(id=deleted.id or ""))
        await room.set_access(SetAccess(id=closed.id or "", access_level="confidential"))
    held.go.set()
    assert (await office.over("ada", uploaded.run)).state == "cancelled"
    await office.settled(lambda: len(office.vectors.payloads()) == len(MANY) - 2)
    gone = {cancelled.id, deleted.id}
    assert gone.isdisjoint(str(p["document"]) for p in office.vectors.payloads())
    assert len(await office.passages("ben")) == len(MANY) - 3
    assert len(await office.passages("ada")) == len(MANY) - 2


async def test_who_is_stopped_in_the_middle_goes_on(
    closed_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = closed_office
    async with office.opened():
        held = _Held(office, monkeypatch)
        uploaded = await office.upload("ada", *MANY)
        await asyncio.wait_for(held.reached.wait(), 10)
    held.go.set()
    async with office.opened():
        assert (await office.over("ada", uploaded.run)).state == "succeeded"
        assert len(await office.passages("ben")) == len(MANY)
        assert len(office.vectors.payloads()) == len(MANY)

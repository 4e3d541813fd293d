"""The composition root's mechanism: built once, in order, here or called elsewhere; events reach subscribers."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import pytest

from muniment.kernel.blobs import Blobs
from muniment.kernel.contract import idempotent
from muniment.kernel.house import Ground, House, Subscription
from muniment.kernel.model import Model, now
from muniment.kernel.outbox import Event
from muniment.kernel.problems import Unavailable
from muniment.kernel.settings import Configuration, RoomSettings


class Word(Model):
    word: str


class Lower(Protocol):
    @idempotent
    async def say(self, request: Word) -> Word: ...


class Upper(Protocol):
    @idempotent
    async def say(self, request: Word) -> Word: ...


class LowerSettings(RoomSettings):
    mark: str = "!"


class Speaker:
    def __init__(self, mark="", below=None):
        self.mark, self.below, self.heard = mark, below, []

    async def say(self, request):
        self.heard.append(request.word)
        word = Word(word=request.word + self.mark)
        return await self.below.say(word) if self.below else word


built = []


@asynccontextmanager
async def lower(settings: LowerSettings, ground: Ground):
    built.append("lower")
    ground.announce("greeting", "hello")
    yield Speaker(settings.mark)
    built.append("lower closed")


@asynccontextmanager
async def upper(below: Lower):
    built.append("upper")
    yield Speaker("?", below)


ROOMS = {Lower: lower, Upper: upper}


@pytest.fixture(autouse=True)
def fresh():
    built.clear()


def ground(tmp_path, **given):
    own = {
        "data": tmp_path,
        "database_url": f"sqlite:///{tmp_path}",
        "blobs": Blobs.open((tmp_path / "blobs").as_uri()),
        "secrets": ("s",),
        "subscribers": {},
        "announcements": {},
        "mounted": [],
        "addresses": {},
        "peers": {},
    }
    return Ground(**own | given)


async def test_rooms_are_built_once_with_what_they_need(tmp_path):
    configuration = Configuration.load(environment={"MUNIMENT_LOWER__MARK": "."}, file=None)
    async with AsyncExitStack() as stack:
        house = House(ROOMS, configuration, ground(tmp_path), stack)
        speaker = await house.get(Upper)
        assert (await speaker.say(Word(word="a"))).word == "a?."
        assert await house.get(Upper) is speaker
        await house.get(Lower)
        assert built == ["lower", "upper"]
        assert house.ground.announcements == {"greeting": "hello"}
    assert built[-1] == "lower closed"


async def test_a_room_with_an_address_is_not_built_but_called(tmp_path):
    elsewhere = ground(tmp_path, addresses={"lower": "http://127.0.0.1:9"})
    async with AsyncExitStack() as stack:
        speaker = await House(ROOMS, Configuration({}), elsewhere, stack).get(Upper)
        assert built == ["upper"]
        with pytest.raises(Unavailable):
            await speaker.say(Word(word="a"))


async def test_rooms_in_a_circle_are_named(tmp_path):
    @asynccontextmanager
    async def round_and_round(above: Upper):
        yield Speaker("", above)

    async with AsyncExitStack() as stack:
        house = House({Lower: round_and_round, Upper: upper}, Configuration({}), ground(tmp_path), stack)
        with pytest.raises(TypeError, match="Lower -> Upper -> Lower"):
            await house.get(Lower)


async def test_an_event_is_its_subscribers_request(tmp_path):
    async with AsyncExitStack() as stack:
        house = House(ROOMS, Configuration({}), ground(tmp_path), stack)
        deliver = house.deliver(Subscription("word.said", Lower, "say"))
        await deliver(Event(id="evt_1", type="word.said", at=now(), data={"word": "heard"}))
        assert built == ["lower"]


async def test_background_work_is_begun_again_when_it_fails(tmp_path):
    begun, done = [], asyncio.Event()

    async def work():
        begun.append(1)
        if len(begun) < 2:
            raise RuntimeError("a defect")
        done.set()
        await asyncio.sleep(60)

    async with ground(tmp_path).running("work", work):
        await asyncio.wait_for(done.wait(), 10)
    assert len(begun) == 2

"""Fixtures for every room.

`database_url`: a fresh, empty place for databases, once in SQLite and once in a real PostgreSQL. A store's
tests take it and open their room's database there, so that each of them runs on both:

    async def test_something(database_url: str) -> None:
        async with open_database(database_url, room="documents", migrations=MIGRATIONS) as database: ...

`house`: a house that runs, in one process and then in many, shared by all tests of a session.

What is marked `distributed` runs by `make test-distributed`, and not by `make test`.

`sqlite_url`, `postgresql_url`: one of the two alone. The server is started once for all test processes, when
the first test asks for it. Helpers that are no fixtures live in `kit`; `kit.migrations` has
`assert_migrations_match`, which every room with tables calls.
"""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from xdist.remote import Producer

from kit import counting
from kit.compiling import engine_that_knows
from kit.forking import forked
from kit.migrations import upgrade_by_rote
from kit.postgresql import drop_databases, server_url
from kit.running import RunningHouse, running
from kit.sharing import Sharing, rank_of

DISTRIBUTED = pytest.param("many", marks=pytest.mark.distributed)

# As many examples as the default suite has time for; a property that needs more says so itself.
settings.register_profile("suite", max_examples=40)
settings.load_profile("suite")


# To look for circles of garbage after every 700 objects takes a fifth of the tests' time.
gc.set_threshold(10_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank_of)


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported stays


def pytest_sessionfinish() -> None:
    if counting.COUNTING:
        counting.save()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    config.option.loadscopereorder = False
    return Sharing(config, log)


@pytest.fixture(scope="session", autouse=True)
def migrated_by_rote() -> Iterator[None]:
    """Each database in this process is made at once; that the migrations make it, the first of a kind shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.kernel.database.upgrade", upgrade_by_rote)
        patch.setattr("muniment.kernel.database.create_async_engine", engine_that_knows)
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_engines() -> Iterator[None]:
    """The processes of the vectors engine start at once in all tests that build a room with one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.vectors.engine.processes.spawning._started", forked)
        yield


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data"


@pytest.fixture(scope="session")
def postgresql_server(testrun_uid: str) -> str:
    return server_url(testrun_uid)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    prefix = f"test_{uuid4().hex[:12]}"
    yield f"{postgresql_server}&prefix={prefix}"
    asyncio.run(drop_databases(postgresql_server, prefix))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.distributed)])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session", params=["one", DISTRIBUTED], ids="house-{}".format)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    folder: Path = tmp_path_factory.mktemp(f"house-{request.param}")
    with running(folder, request.param) as house:
        yield house

"""Each lock holds with the other one open; with both open the same test fails, so it can."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from access.locks import EveryToken, OpenEngine, OpenHydration
from access.looking import Leak, wander
from access.town import Town
from kit.running import ADMIN_PASSWORD
from muniment.documents.contract import Documents
from muniment.vectors.contract import Vectors

Opened = Callable[..., Awaitable[httpx.AsyncClient]]
STEPS = 6


@pytest.mark.parametrize("lagging", [False, True])
async def test_hydration_alone_holds(opened: Opened, lagging: bool) -> None:  # noqa: FBT001 - a parameter
    http = await opened({Vectors: lambda vectors: OpenEngine(vectors, lagging=lagging)})
    town = Town(http, ADMIN_PASSWORD, 1 + lagging)
    await wander(town, STEPS)
    assert town.searches > 3 * STEPS


async def test_the_engine_alone_holds_once_it_has_caught_up(opened: Opened) -> None:
    tokens: set[str] = set()
    http = await opened(
        {
            Vectors: lambda vectors: EveryToken(vectors, tokens),
            Documents: lambda documents: OpenHydration(documents, tokens),
        }
    )
    town = Town(http, ADMIN_PASSWORD, 3)
    await wander(town, STEPS)
    assert town.searches > 3 * STEPS
    assert tokens


async def test_with_both_locks_open_the_oracle_sees_it(opened: Opened) -> None:
    tokens: set[str] = set()
    http = await opened(
        {
            Vectors: lambda vectors: EveryToken(OpenEngine(vectors), tokens),
            Documents: lambda documents: OpenHydration(documents, tokens),
        }
    )
    with pytest.raises(Leak, match=r"POST search .* shows"):
        await wander(Town(http, ADMIN_PASSWORD, 3), STEPS)

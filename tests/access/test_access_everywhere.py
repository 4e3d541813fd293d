"""Whatever happens to people, groups, collections and documents: one is shown what one may read, and no more."""

import os

import httpx

from access.looking import wander
from access.town import Town
from kit.running import ADMIN_PASSWORD

SEED = int(os.environ.get("MUNIMENT_TEST_SEED", "20"))
STEPS = int(os.environ.get("MUNIMENT_TEST_STEPS", "9"))


async def test_everybody_is_shown_what_they_may_read_and_no_more(http: httpx.AsyncClient) -> None:
    town = Town(http, ADMIN_PASSWORD, SEED)
    await wander(town, STEPS)
    assert town.searches > 3 * STEPS

"""A real browser on a real house with a handbook, two documents of which are hard to show."""

import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from kit.running import RunningHouse, running
from muniment.sdk import File, Muniment
from page.visitor import BIG, EMOJI, HOSTILE, HOSTILE_NAME, sign_in

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook" / "everyone"
FILES = ("techspec-alert-router.md", "remote-work-policy-2026.md", "probe-p3-manual.pdf", "staff-faq.html")
DEFAULT_MS = 10_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser serves all tests of the page, on one loop."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("the tests of the page need a browser: no chromium on the path")
    return found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    with running(tmp_path_factory.mktemp("page"), "one") as house:
        with house.admin() as admin:
            admin.post("/api/v1/collections", {"name": "handbook", "members": ["group:everyone"]})
            taken = admin.upload("handbook", [File(HANDBOOK / name, {"key": name}) for name in FILES])
            texts = [
                {"key": "signals.md", "text": EMOJI, "tags": ["harbour"], "status": "approved"},
                {"key": "big.txt", "text": BIG},
                {"key": HOSTILE_NAME, "text": HOSTILE, "source_url": "javascript:alert(1)"},
            ]
            more = admin.post("/api/v1/collections/handbook/documents/batch", {"documents": texts})
            for run in (taken["run"], more["run"]):
                _wait(admin, run)
        yield house


def _wait(muniment: Muniment, run: str) -> None:
    until = time.monotonic() + 60
    while (state := muniment.get(f"/api/v1/runs/{run}")["state"]) != "succeeded":
        assert state in ("queued", "running"), state
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, served: RunningHouse) -> AsyncIterator[Visit]:
    """Opens an address of the page, signed in unless told otherwise; no script fails, no policy is broken."""
    complaints: list[str] = []
    contexts = []

    async def go(address: str = "", *, signed_in: bool = True, **options: object) -> Page:
        context = await browser.new_context(base_url=served.address, **options)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(DEFAULT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        await page.goto(f"/{address}")
        if signed_in:
            await sign_in(page)
        return page

    yield go
    for context in contexts:
        await context.close()
    assert complaints == []

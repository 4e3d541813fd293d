"""A real browser on a real house with a handbook, two documents of which are hard to show."""

import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright

from kit.running import ONE_PARSER, RunningHouse, running
from muniment.sdk import File, Muniment
from page.visitor import BIG, EMOJI, HOSTILE, HOSTILE_NAME, sign_in

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook" / "everyone"
FILES = ("techspec-alert-router.md", "remote-work-policy-2026.md", "probe-p3-manual.pdf", "staff-faq.html")
DEFAULT_MS = 30_000
EMPTY = "/empty"
DESK: ViewportSize = {"width": 1280, "height": 720}


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
    with running(tmp_path_factory.mktemp("page"), "one", **ONE_PARSER) as house:
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


class Tabs:
    """A browser's two: one that stays signed in, one that remembers nobody. And what went wrong in either.

    To make a tab takes three times as long as all else of a visit, so that all tests take turns with these.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser, self._address = browser, address
        self._shared: Page | None = None
        self._strangers: Page | None = None
        self.complaints: list[str] = []

    async def shared(self, address: str) -> Page:
        """For all who neither end its session nor ask for another kind of window."""
        if self._shared is None:
            self._shared = await self._new()
            await self._shared.goto("/")
            await sign_in(self._shared)
            await self._shared.locator("main").wait_for()
        await self._shared.goto("about:blank")  # so that the next address is loaded and not only moved to
        await self._shared.goto(f"/{address}")
        return self._shared

    async def strangers(self, address: str, viewport: ViewportSize) -> Page:
        """Nothing of whoever had it before is kept."""
        if self._strangers is None:
            self._strangers = await self._new()
        page = self._strangers
        await page.set_viewport_size(viewport)
        await page.route(EMPTY, lambda route: route.fulfill(content_type="text/html", body=""))
        await page.goto(EMPTY)  # where no script runs that could keep a session after all
        await page.evaluate("() => { sessionStorage.clear(); localStorage.clear() }")
        await page.context.clear_cookies()
        await page.goto(f"/{address}")
        return page

    async def _new(self) -> Page:
        context = await self._browser.new_context(base_url=self._address)
        page = await context.new_page()
        page.set_default_timeout(DEFAULT_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        return page

    def _listen(self, said: ConsoleMessage) -> None:
        if "Content Security" in said.text:
            self.complaints.append(said.text)

    async def tidy(self) -> None:
        """As before the test: nothing routed elsewhere, no other light, and within reach of the server."""
        for page in filter(None, (self._shared, self._strangers)):
            await page.unroute_all(behavior="ignoreErrors")
            await page.emulate_media(color_scheme="null")
            await page.context.set_offline(False)
        complaints, self.complaints = self.complaints, []
        assert complaints == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tabs(chromium: str, served: RunningHouse) -> AsyncIterator[Tabs]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield Tabs(browser, served.address)
        await browser.close()


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(tabs: Tabs) -> AsyncIterator[Visit]:
    """Opens an address of the page, signed in unless told otherwise; no script fails, no policy is broken.

    `alone` opens it in a tab that others do not stay signed in with, for a test that ends its session.
    """

    async def go(
        address: str = "", *, signed_in: bool = True, alone: bool = False, viewport: ViewportSize | None = None
    ) -> Page:
        if signed_in and not alone and viewport is None:
            return await tabs.shared(address)
        page = await tabs.strangers(address, viewport or DESK)
        if signed_in:
            await sign_in(page)
        return page

    yield go
    await tabs.tidy()

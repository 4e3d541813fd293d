"""What somebody does on the page, and documents that make it hard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page

from kit.running import ADMIN_PASSWORD

EMOJI = (
    "# Signals 🚦🚦🚦\n\n"
    + "The 🐘 comes 👩‍👩‍👧 before 𝔊. " * 30
    + "\n\nThe purple lantern signals that the harbour pilot is late.\n\nNothing 🎈 more.\n"
)
HOSTILE = (
    '# <img src=x onerror="document.title=1">\n\nThe zeppelin contract <script>document.title = "taken"</script> '
    'ends in May <b onclick="x()">2031</b>.\n'
)
_ROW = "Row {} of the ledger has nothing 🎈 to say.\n"
IN_BIG = "The okapi sleeps at noon."
BIG = "".join(map(_ROW.format, range(200))) + IN_BIG + "\n" + "".join(map(_ROW.format, range(200))).strip()
HOSTILE_NAME = "<img src=x onerror=alert(1)>.md"


async def sign_in(page: Page, password: str = ADMIN_PASSWORD) -> None:
    await page.get_by_label("User name").fill("admin")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def ask(page: Page, question: str) -> None:
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    await page.locator("#askStatus", has_text="swer").wait_for()


@asynccontextmanager
async def waiting_for(page: Page, path: str) -> AsyncIterator[None]:
    """Until the API answered the call that the inside causes."""
    async with page.expect_response(lambda answer: path in answer.url):
        yield

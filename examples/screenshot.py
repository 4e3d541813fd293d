"""Makes the README's picture of the page: a browser asks the example handbook and opens the source of the answer.

While `make demo` runs: `.venv/bin/python examples/screenshot.py ADDRESS USER PASSWORD [--dark] [--phone]`, all as
told there. Wants a chromium on the path; `make test` installs the rest.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from playwright.async_api import async_playwright

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "page.png"
QUESTION = "How do I restart a probe?"


async def main(address: str, user: str, password: str, flags: set[str]) -> None:
    """Sign in, ask, open the first footnote, and keep what the window shows."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium") or "chromium", args=["--no-sandbox"]
        )
        page = await browser.new_page(
            viewport={"width": 360 if "--phone" in flags else 1280, "height": 720},
            color_scheme="dark" if "--dark" in flags else "light",
        )
        await page.goto(address)
        await page.get_by_label("User name").fill(user)
        await page.get_by_label("Password").fill(password)
        await page.keyboard.press("Enter")
        await page.get_by_label("Your question").fill(QUESTION)
        await page.keyboard.press("Enter")
        await page.locator("#answer").get_by_role("link").first.click()
        await page.locator("#sourceBody :is(mark, path)").wait_for()
        await page.screenshot(path=PICTURE)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], set(sys.argv[4:])))

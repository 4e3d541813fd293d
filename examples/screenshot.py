"""Makes the README's picture of the page: a browser asks the example handbook and opens the source of the answer.

`make demo` in one terminal; in another `.venv/bin/python examples/screenshot.py PASSWORD`, with the password that
it told. Wants a chromium on the path; `make test` installs the rest. `--dark` and `--phone` show those.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from playwright.async_api import async_playwright

from muniment.kernel.problems import Unavailable
from muniment.runfile import read_run_file

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "images" / "page.png"
QUESTION = "How does the alert-router retry a failed delivery?"


async def main(password: str, flags: set[str]) -> None:
    """Sign in as ada, ask, open the first footnote, and keep what the window shows."""
    running, chromium = read_run_file(HERE.parent / ".demo" / "data"), shutil.which("chromium")
    if running is None or chromium is None:
        raise Unavailable("this needs `make demo` in another terminal, and chromium")
    width = 360 if "--phone" in flags else 1280
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(
            viewport={"width": width, "height": 720}, color_scheme="dark" if "--dark" in flags else "light"
        )
        await page.goto(running.address)
        await page.get_by_label("User name").fill("ada")
        await page.get_by_label("Password").fill(password)
        await page.keyboard.press("Enter")
        await page.get_by_label("Your question").fill(QUESTION)
        await page.keyboard.press("Enter")
        await page.locator("#answer").get_by_role("link").first.click()
        await page.locator("#sourceBody :is(mark, path)").wait_for()
        await page.screenshot(path=PICTURE)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], set(sys.argv[2:])))

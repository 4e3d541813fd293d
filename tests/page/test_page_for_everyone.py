"""For everyone: by keyboard alone, for screen readers (axe), in light and dark, on a phone."""

from axe_playwright_python.base import AXE_SCRIPT

from page.visitor import ask

VIEWS = ("#/ask?q=How+do+I+restart+a+probe%3F&in=", "#/search?q=probe&status=approved", "#/documents/handbook")
PHONE = {"width": 360, "height": 740}


async def violations(page) -> list[str]:
    """What axe finds: everything in light, then in dark what depends on colours."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        await page.emulate_media(color_scheme=scheme)
        options = {"resultTypes": ["violations"], **rules}  # of all else one node says enough
        found += await page.evaluate("async options => (await axe.run(options)).violations", options)
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


async def settled(page, address: str) -> None:
    places = {
        "#/ask": "#answer .sentence",
        "#/search": "#hits .hit, #searchStatus:has-text('Nothing')",
        "#/doc": "#rows li",
    }
    place = next(place for begin, place in places.items() if address.startswith(begin))
    await page.locator(place).first.wait_for()


async def test_axe_finds_nothing_in_any_view(visit):
    page = await visit(signed_in=False)
    await page.get_by_label("User name").wait_for()
    assert await violations(page) == []
    page = await visit(VIEWS[0])
    for address in VIEWS:
        await page.goto(f"/{address}")
        await settled(page, address)
        assert await violations(page) == [], address
    broken = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\nnothing"}
    await page.locator("#files").set_input_files([broken])
    await page.locator("#addingList .problem").wait_for()
    await page.get_by_text("New collection").click()
    assert await violations(page) == [], "while adding"
    await page.get_by_role("button", name="Delete: broken.pdf").click()
    assert await violations(page) == [], "asked whether to delete"
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.goto(f"/{VIEWS[0]}")
    await page.locator("#answer").get_by_role("link").first.click()
    await page.locator("#sourceBody :is(mark, path)").wait_for()
    await page.get_by_text("About this document").click()
    assert await violations(page) == [], "the source"


async def test_a_phone_scrolls_in_one_direction(visit):
    page = await visit(VIEWS[0], viewport=PHONE)
    for address in VIEWS:
        await page.goto(f"/{address}")
        await settled(page, address)
        for summary in await page.locator("main section:visible details:not([open]) > summary:visible").all():
            await summary.click()
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], address
    await page.goto(f"/{VIEWS[0]}")
    await page.locator("#answer").get_by_role("link").first.click()
    await page.locator("#sourceBody :is(mark, path)").wait_for()
    assert await page.locator("#sourceBody").evaluate("body => body.scrollWidth - body.clientWidth") == 0


async def tab_to(page, name: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        here = await page.evaluate(
            """() => {
              const at = document.activeElement;
              return at === document.body ? "" : at.getAttribute("aria-label") ?? at.textContent.trim();
            }"""
        )
        if here.startswith(name):
            ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", f"{name} shows no focus"
            return
    raise AssertionError(f"no way to {name} by the keyboard")


async def test_a_whole_journey_by_keyboard(visit):
    page = await visit(signed_in=False)
    await page.get_by_label("User name").wait_for()
    await page.keyboard.type("admin")
    await page.keyboard.press("Tab")
    await page.keyboard.type("the admin of the tests\n")
    await page.locator("#ask").wait_for()
    await tab_to(page, "Skip to the content")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("How does the alert-router retry a failed delivery?\n")
    await page.locator("#answer .sentence").first.wait_for()
    await tab_to(page, "Source 1")
    await page.keyboard.press("Enter")
    await page.locator("#sourceBody mark").wait_for()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "sourceClose"
    await page.keyboard.press("Enter")
    await page.locator("#source").wait_for(state="hidden")
    await page.locator("body").press("Home")
    await tab_to(page, "Search")
    await page.keyboard.press("Enter")
    await page.get_by_label("Search for").wait_for()
    assert await page.evaluate("document.activeElement.id") == "searchTitle"
    await page.keyboard.press("Tab")
    await page.keyboard.type("purple lantern\n")
    await page.locator("#hits .hit").first.wait_for()


async def test_what_arrives_is_told_to_those_who_do_not_see_it(visit):
    page = await visit()
    await ask(page, "How do I restart a probe?")
    assert await page.locator("#answer").get_attribute("aria-live") == "polite"
    assert await page.get_by_role("status").filter(has_text="Answered in").count() == 1
    names = [await each.get_attribute("aria-label") for each in await page.locator("#answer a").all()]
    assert all(name.startswith("Source ") for name in names)

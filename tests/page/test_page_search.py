"""Search: filters, the address as the search, and the way to the source."""


async def search(page, words: str) -> None:
    await page.get_by_label("Search for").fill(words)
    async with page.expect_response("**/api/v1/search"):
        await page.get_by_role("button", name="Search", exact=True).click()


async def test_filters_narrow_and_the_address_keeps_them(visit):
    page = await visit("#/search")
    await search(page, "probe lantern delivery")
    await page.locator("#hits .hit").nth(3).wait_for()
    await page.get_by_text("Filters").click()
    await page.get_by_label("handbook").check()
    await page.get_by_label("Status").select_option("approved")
    await page.get_by_label("Tags, all of").fill("harbour")
    await page.get_by_label("Only the best passage").check()
    await search(page, "probe lantern delivery")
    await page.get_by_text("1 document in").wait_for()
    assert await page.locator("#hits mark").first.inner_text() == "lantern"
    await page.reload()
    await page.get_by_text("1 document in").wait_for()
    assert await page.get_by_label("Status").input_value() == "approved"
    await page.go_back()
    await page.get_by_text("passages in").wait_for()
    assert await page.get_by_label("Status").input_value() == ""


async def test_dates_bound_what_is_found(visit):
    page = await visit("#/search?q=lantern&until=2001-01-01&mode=keyword")
    await page.get_by_text("Nothing found").wait_for()
    assert await page.get_by_label("Created until").input_value() == "2001-01-01"


async def test_what_the_server_does_not_take_is_said(visit):
    page = await visit("#/search?q=lantern&type=Nonsense&in=no-such-collection")
    await page.locator("#searchFailed .problem").wait_for()
    assert "no-such-collection" in await page.locator("#searchFailed").inner_text()


async def test_a_passage_opens_in_its_source(visit):
    page = await visit("#/search?q=purple+lantern&mode=keyword")
    passage = page.locator("#hits .hit").first
    await passage.get_by_role("link").click()
    await page.locator("#sourceBody mark", has_text="purple lantern").wait_for()
    await page.go_back()
    await page.locator("#source").wait_for(state="hidden")
    assert await passage.is_visible()


async def test_a_slip_is_mended_and_said(visit):
    page = await visit("#/search?q=purpel+lantern")
    await page.get_by_text("for: purple lantern").wait_for()
    assert {await mark.inner_text() for mark in await page.locator("#hits mark").all()} >= {"purple"}

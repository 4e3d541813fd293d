"""Ask: the answer, its footnotes, and the very words in their source."""

from page.visitor import BIG, EMOJI, HOSTILE, IN_BIG, ask

QUESTION = "How does the alert-router retry a failed delivery?"
LANTERN = "What does the purple lantern signal?"


async def marked(page) -> str:
    await page.locator("#sourceBody mark").wait_for()
    return await page.locator("#sourceBody mark").text_content()


async def test_a_footnote_opens_its_source_at_the_very_words(visit):
    page = await visit()
    await ask(page, QUESTION)
    sentence = page.locator("#answer .sentence").first
    assert "retried five times" in await sentence.inner_text()
    assert await sentence.locator(".verdict").inner_text() == "quoted"
    quote = await page.locator("#notes q").first.text_content()
    await sentence.get_by_role("link").click()
    assert " ".join((await marked(page)).split()) == quote
    assert await page.locator("#sourceBody mark").evaluate("mark => mark.checkVisibility()")
    box = await page.locator("#sourceBody mark").bounding_box()
    assert 0 < box["y"] < 720, "the words are scrolled into view"
    assert await page.evaluate("document.activeElement.id") == "sourceTitle"
    await page.keyboard.press("Escape")
    await page.locator("#source").wait_for(state="hidden")
    assert await page.evaluate("document.activeElement.textContent") == "[1]"
    assert page.url.endswith("retry+a+failed+delivery%3F&in="), "back is where the question was asked"


async def test_characters_beyond_16_bits_do_not_shift_the_words(visit):
    page = await visit()
    await ask(page, LANTERN)
    await page.locator("#answer").get_by_role("link").first.click()
    words = await marked(page)
    assert words == "The purple lantern signals that the harbour pilot is late."
    assert words in EMOJI


async def test_a_link_to_a_source_stands_alone(visit, served):
    with served.admin() as admin:
        cited = admin.post("/api/v1/ask", {"question": LANTERN})["footnotes"][0]
    span = cited["span"]
    address = f"#/source/{cited['document']['id']}?version=1&start={span['start']}&end={span['end']}"
    page = await visit(address)
    assert await marked(page) == cited["quote"]
    await page.get_by_role("button", name="Close the source").click()
    await page.get_by_role("heading", name="Ask your documents").wait_for()


async def test_a_big_text_is_shown_a_window_at_a_time(visit, served):
    with served.admin() as admin:
        document = admin.get("/api/v1/collections/handbook/documents", key="big.txt")["items"][0]["id"]
    start = BIG.index(IN_BIG)
    page = await visit(f"#/source/{document}?version=1&start={start}&end={start + len(IN_BIG)}")
    assert await marked(page) == IN_BIG
    shown = await page.locator("#sourceBody .text").text_content()
    assert len(shown) < 7000
    assert shown in BIG
    await page.get_by_role("button", name="Show what comes before").click()
    await page.get_by_role("button", name="Show what comes after").click()
    assert await page.locator("#sourceBody .text").text_content() == BIG
    assert await page.locator("#sourceBody button:visible").count() == 0


async def test_without_support_it_says_so(visit):
    page = await visit()
    await ask(page, "Who won the football world cup in 1954?")
    assert "No answer found" in await page.locator("#askStatus").inner_text()
    assert await page.locator("#passages").get_attribute("open") is not None
    assert await page.locator("#answer .sentence").count() == 0


async def test_what_is_missing_is_said_plainly(visit):
    page = await visit()
    done = (
        'event: passages\\ndata: {"hits":[]}\\n\\nevent: sentence\\ndata: {"text":"It is so.","start":0,"end":9,'
        '"footnotes":[],"verdict":"unsupported"}\\n\\nevent: done\\ndata: {"answer":"It is so.","abstained":false,'
        '"model":"extractive","degraded":["llm","dense"],"passages":[],"took_ms":3}\\n\\n'
    ).replace("\\n", "\n")
    await page.route("**/api/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=done))
    await ask(page, QUESTION)
    assert await page.locator(".verdict").inner_text() == "not supported by any source"
    said = await page.locator("#askNotices").inner_text()
    assert "language model did not answer" in said
    assert "Only words were compared" in said


async def test_an_answer_that_breaks_off_is_said(visit):
    page = await visit()
    cut = 'event: passages\ndata: {"hits":[]}\n\n'
    await page.route("**/api/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=cut))
    await page.get_by_label("Your question").fill(QUESTION)
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").filter(has_text="broke off").wait_for()


async def test_documents_are_text_and_never_markup(visit):
    page = await visit()
    await ask(page, "When does the zeppelin contract end?")
    await page.locator("#notes").get_by_role("link").first.click()
    words = await marked(page)
    assert "<script>" in words
    assert words in HOSTILE
    assert (
        await page.locator("main script, main img, dialog script, #source img, [onclick], [onerror]").count() == 0
    )
    await page.get_by_text("About this document").click()
    assert await page.locator("#sourceAbout a").count() == 0, "javascript: is no link"
    assert "Muniment" in await page.title()


async def test_the_words_are_marked_on_the_picture_of_the_page(visit):
    page = await visit()
    await ask(page, "How do I restart a probe?")
    await page.locator("#answer").get_by_role("link").first.click()
    picture = page.get_by_role("img", name="Page 1 of")
    await picture.wait_for()
    assert await picture.evaluate("image => image.naturalWidth") > 500
    words = page.locator("#sourceBody svg path")
    drawn, whole = await words.bounding_box(), await picture.bounding_box()
    assert 0 < drawn["width"] < whole["width"]
    assert 5 < drawn["height"] < whole["height"] / 10
    assert 0 < drawn["y"] < 720, "the words are scrolled into view"
    assert "eight seconds" in await page.locator("#sourceBody q").inner_text()
    await page.get_by_role("button", name="Show the text").click()
    assert "eight seconds" in await marked(page)


async def test_without_rectangles_the_text_is_shown(visit):
    page = await visit()
    await page.route("**/rectangles?*", lambda route: route.fulfill(status=422, json={"status": 422}))
    await ask(page, "How do I restart a probe?")
    await page.locator("#answer").get_by_role("link").first.click()
    assert "eight seconds" in await marked(page)
    assert not await page.get_by_role("button", name="Show the page").is_visible()

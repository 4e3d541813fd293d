"""Who is let in, and what becomes of those whose session ends."""

from page.visitor import ask, sign_in, waiting_for


async def test_a_wrong_password_is_said_and_a_right_one_opens(visit):
    page = await visit(signed_in=False)
    await page.get_by_text("First time here?").click()
    assert await page.get_by_text("muniment users password admin").is_visible()
    await sign_in(page, "not the password")
    await page.get_by_role("alert").filter(has_text="password").wait_for()
    assert not await page.locator("main").is_visible()
    await sign_in(page)
    await page.get_by_role("heading", name="Ask your documents").wait_for()
    assert await page.locator("#who").text_content() == "admin"


async def test_escape_does_not_open_what_is_closed(visit):
    page = await visit(signed_in=False)
    for _ in range(3):
        await page.keyboard.press("Escape")
    await page.get_by_label("User name").wait_for()
    assert not await page.locator("main").is_visible()


async def test_a_reload_stays_signed_in_and_signing_out_ends_the_session(visit):
    page = await visit(alone=True)
    await page.locator("#ask").wait_for()
    await page.reload()
    await page.locator("#ask").wait_for()
    refresh = await page.evaluate("sessionStorage.getItem('muniment.refresh_token')")
    async with waiting_for(page, "/auth/logout"):
        await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("User name").wait_for()
    assert await page.evaluate("sessionStorage.length") == 0
    again = await page.request.post("/api/v1/auth/refresh", data={"refresh_token": refresh})
    assert again.status == 401


async def test_a_session_that_ends_asks_again_and_loses_nothing(visit):
    page = await visit(alone=True)
    await page.locator("#ask").wait_for()
    refresh = await page.evaluate("sessionStorage.getItem('muniment.refresh_token')")
    await page.request.post("/api/v1/auth/logout", data={"refresh_token": refresh})
    await page.get_by_label("Your question").fill("How do I restart a probe?")
    await page.keyboard.press("Enter")
    await page.get_by_text("Your session is over").wait_for()
    assert await page.get_by_label("User name").input_value() == "admin"
    await sign_in(page)
    await page.locator("#answer", has_text="hold the button for eight seconds").wait_for()
    assert await page.get_by_label("Your question").input_value() == "How do I restart a probe?"


async def test_a_server_that_is_gone_is_said(visit):
    page = await visit(alone=True)
    await page.locator("#ask").wait_for()
    await page.context.set_offline(True)
    await page.get_by_label("Your question").fill("Is anybody there?")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").filter(has_text="cannot be reached").wait_for()
    await page.context.set_offline(False)
    await ask(page, "How do I restart a probe?")
    assert "eight seconds" in await page.locator("#answer").inner_text()

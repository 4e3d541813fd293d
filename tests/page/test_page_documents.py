"""Documents: adding by dropping and choosing, progress, reasons, trying again, deleting."""

import re

from page.visitor import HOSTILE_NAME

DROP = """async ([names, texts]) => {
  const transfer = new DataTransfer();
  names.forEach((name, i) => transfer.items.add(new File([texts[i]], name)));
  for (const type of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


def row(page, text: str):
    return page.locator("#rows li").filter(has_text=text)


async def new_collection(page, name: str) -> None:
    if await page.locator("#newCollection[open]").count() == 0:
        await page.get_by_text("New collection").click()
    await page.get_by_label("Name, in small letters").fill(name)
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("heading", name=name).wait_for()


async def test_a_dropped_file_becomes_searchable_in_a_new_collection(visit):
    page = await visit("#/documents")
    await new_collection(page, "dropped")
    await page.evaluate(
        DROP, [["quagga.md", "zebra.txt"], ["# Quagga\n\nThe quagga barks.", "Zebras do not bark."]]
    )
    await page.get_by_text("2 of 2 files done").wait_for()
    assert await page.locator("#addingList .state").all_inner_texts() == ["can be found", "can be found"]
    await row(page, "Quagga").filter(has_text="searchable").wait_for()
    await page.goto("/#/search?q=quagga+barks&in=dropped")
    await page.locator("#hits .hit", has_text="Quagga").wait_for()


async def test_the_same_file_again_is_no_new_work(visit):
    page = await visit("#/documents")
    await new_collection(page, "again")
    for said in ("can be found", "was there already"):
        await page.locator("#files").set_input_files(
            [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"Once."}]
        )
        await page.locator("#addingList .state", has_text=said).wait_for()
    assert await page.locator("#rows li").count() == 1
    await page.get_by_role("button", name="Clear what is over").click()
    assert not await page.locator("#adding").is_visible()


async def test_a_broken_file_says_why_and_can_be_tried_again(visit):
    page = await visit("#/documents")
    await new_collection(page, "broken")
    broken = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\nnothing"}
    await page.locator("#files").set_input_files([broken])
    await page.get_by_text("1 of 1 file done, 1 failed").wait_for()
    assert re.search("damaged|cut short|broken", await page.locator("#addingList .problem").inner_text())
    async with page.expect_response("**/retry") as told:
        await page.locator("#addingList").get_by_role("button", name="Try again").click()
    assert (await told.value).ok
    await page.get_by_text("1 of 1 file done, 1 failed").wait_for()
    await row(page, "broken.pdf").locator(".problem").wait_for()
    assert await row(page, "broken.pdf").get_by_role("button", name="Try again").is_visible()


async def test_a_document_and_a_collection_are_deleted_only_when_sure(visit):
    page = await visit("#/documents")
    await new_collection(page, "short-lived")
    await page.evaluate(DROP, [["one.txt", "two.txt"], ["One.", "Two."]])
    await row(page, "two.txt").filter(has_text="searchable").wait_for()
    await page.get_by_role("button", name="Delete: one.txt").click()
    await page.get_by_role("button", name="Keep").click()
    assert await row(page, "one.txt").count() == 1
    await page.get_by_role("button", name="Delete: one.txt").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await row(page, "one.txt").wait_for(state="detached")
    await page.get_by_role("button", name="Delete the collection").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.locator("#collections a", has_text="short-lived").wait_for(state="detached")


async def test_a_list_is_narrowed_and_a_name_is_only_a_name(visit):
    page = await visit("#/documents/handbook")
    await page.get_by_label("Name begins with").fill("<img")
    await page.locator("#documentsStatus", has_text="1 document").wait_for()
    assert HOSTILE_NAME in await page.locator("#rows li").inner_text()
    assert await page.locator("#rows img").count() == 0


async def test_a_collection_that_is_not_there_is_said(visit):
    page = await visit("#/documents/nowhere")
    await page.get_by_role("alert").filter(has_text="no collection nowhere").wait_for()

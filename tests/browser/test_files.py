"""Files: picked, pasted, dropped; shown as a thumbnail, opened, downloaded."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.async_api import Download, FilePayload, expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import Hosts, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
LOADED = "(img) => img.complete && img.naturalWidth > 0"


def png(width: int = 900, height: int = 600) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 160)).save(out, "PNG")
    return out.getvalue()


async def content_of(download: Download) -> bytes:
    return await asyncio.to_thread((await download.path()).read_bytes)


async def hand_over(visitor: Visitor, event: str, name: str, body: bytes) -> None:
    """A file by paste or drop, as the browser would give it."""
    await visitor.composer().evaluate(
        """(composer, [type, name, body]) => {
             const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
             const data = new DataTransfer();
             data.items.add(new File([bytes], name, { type: "image/png" }));
             const init = { bubbles: true, composed: true, cancelable: true };
             composer.dispatchEvent(type === "paste"
               ? new ClipboardEvent("paste", { ...init, clipboardData: data })
               : new DragEvent("drop", { ...init, dataTransfer: data }));
           }""",
        [event, name, base64.b64encode(body).decode()],
    )


async def test_a_picture_is_uploaded_seen_as_a_thumbnail_opened_and_downloaded(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice, bob = [await host.visit(await new_context(), user, thread) for user in users]
    body = png()
    picked: FilePayload = {"name": "harbour.png", "mimeType": "image/png", "buffer": body}
    await alice.thread().locator("input[type=file]").set_input_files([picked])
    await expect(alice.thread().locator(".uploads li")).to_contain_text("harbour.png")
    await expect(alice.thread().locator(".uploads progress")).to_have_count(0)
    await alice.say("The harbour")
    await bob.sees("The harbour")
    for visitor in (alice, bob):
        row = visitor.bubble("The harbour")
        await expect(row.locator("img")).to_be_visible()
        await visitor.page.wait_for_function(LOADED, arg=await row.locator("img").element_handle())
    await bob.bubble("The harbour").get_by_role("button", name="Open picture harbour.png").click()
    dialog = bob.page.get_by_role("dialog", name="harbour.png")
    await bob.page.wait_for_function(
        "(img) => img.naturalWidth === 900", arg=await dialog.locator("img").element_handle()
    )
    async with bob.page.expect_download() as started:
        await dialog.get_by_role("button", name="Download harbour.png").click()
    download = await started.value
    assert download.suggested_filename == "harbour.png"
    assert await content_of(download) == body
    await bob.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    stored = (await host.stack.history(thread, bob.user))[0]["attachments"][0]
    assert (stored["contentType"], stored["width"], stored["height"]) == ("image/png", 900, 600)
    assert alice.faults == bob.faults == []
    assert await bob.page.evaluate("violations") == []


async def test_files_are_pasted_and_dropped_and_one_can_be_taken_back(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread)
    uploads = alice.thread().locator(".uploads li")
    await hand_over(alice, "paste", "pasted.png", png(40, 40))
    await hand_over(alice, "drop", "dropped.png", png(50, 50))
    await expect(uploads).to_have_count(2)
    await expect(alice.thread().locator(".uploads progress")).to_have_count(0)
    await alice.thread().get_by_role("button", name="Remove pasted.png").click()
    await expect(uploads).to_have_count(1)
    await alice.thread().get_by_role("button", name="Send", exact=True).click()
    await expect(alice.thread().locator(".message .picture")).to_have_count(1)
    await alice.until("Object.values(threads)[0].messages.at(-1)?.status === 'sent'")
    (message,) = await host.stack.history(thread, user)
    assert [each["name"] for each in message["attachments"]] == ["dropped.png"]


async def test_a_file_that_is_no_picture_is_downloaded_under_its_name(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread)
    picked: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": "Grüße\n".encode()}
    await alice.thread().locator("input[type=file]").set_input_files([picked])
    await expect(alice.thread().locator(".uploads").get_by_text("notes.txt")).to_be_visible()
    await expect(alice.thread().locator(".uploads progress")).to_have_count(0)
    await alice.say("My notes")
    button = alice.bubble("My notes").get_by_role("button", name="notes.txt")
    await alice.sees_status("My notes", "sent")
    async with alice.page.expect_download() as started:
        await button.click()
    download = await started.value
    assert download.suggested_filename == "notes.txt"
    assert await content_of(download) == "Grüße\n".encode()

"""The pictures of docs/images, and more to look at: `python -m tests.browser.screenshots [--all FOLDER] [name ...]`.

Promises: a system of its own in development mode, the real demo page, the same pictures each time but for the hour.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, async_playwright, expect

from bench.stack import LIMITS_OFF
from bench.stack import stack as running_stack
from tests.browser.needs import CHROMIUM, ROOT
from tests.browser.scenes import HARD, HARD_LINES, ME, OTHERS, RTL, RTL_LINES, THREAD, furnish, story
from tests.e2e.deployment import Deployment

SIZES: Final = {"phone": (390, 844), "desktop": (1280, 800), "pair": (1440, 860)}
IMAGES: Final = ROOT / "docs" / "images"
READY_MS: Final = 15_000
PAIR: Final = f"{ME},tom"
Prepare = Callable[[Page], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: who sits there, before which thread, and what happens before it is taken."""

    name: str
    size: str
    scheme: Literal["light", "dark"] = "light"
    prepare: Prepare | None = None
    people: str = ME
    thread: str = THREAD
    docs: bool = False

    async def take(self, browser: Browser, url: str, folder: Path) -> None:
        width, height = SIZES[self.size]
        other = await browser.new_context()
        if self.docs:
            # Somebody to talk to.
            await (await other.new_page()).goto(f"{url}/?as=tom#{self.thread}")
        context = await browser.new_context(
            locale="en-GB",
            timezone_id="UTC",
            color_scheme=self.scheme,
            viewport={"width": width, "height": height},
            device_scale_factor=2 if self.size == "phone" else 1,
            has_touch=self.size == "phone",
            reduced_motion="reduce",
        )
        page = await context.new_page()
        page.set_default_timeout(READY_MS)
        await page.goto(f"{url}/?as={self.people}#{self.thread}" if self.people else url)
        if self.people:
            await expect(page.locator(".line .state").first).to_have_text("Online")
            await expect(page.locator("section.seat:not(.covered) .message").last).to_be_visible()
        if self.prepare:
            await self.prepare(page)
        if self.people:
            await page.wait_for_function(PICTURES_LOADED)
        await page.wait_for_timeout(200)  # for eyes, not for a test
        path = folder / f"{self.name}.png"
        await page.screenshot(path=path)
        if self.docs:
            # A third of the size, and the eye sees no difference.
            with Image.open(path) as image:
                image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        await context.close()
        await other.close()


# Those further up are not fetched before they are near.
PICTURES_LOADED: Final = """() => [...document.querySelectorAll("chatterbus-thread")].every((element) =>
  [...element.shadowRoot.querySelectorAll(".picture img")].every(
    (image) => image.getBoundingClientRect().bottom <= 0 || image.naturalWidth > 0))"""


async def type_as_tom(page: Page) -> None:
    """Somebody else writes."""
    box = page.locator("section[data-user=tom]").get_by_role("textbox", name="Write a message")
    await box.press_sequentially("One more")


async def cut(page: Page) -> None:
    """Maria's network is gone, and she writes on."""
    maria = page.locator("section[data-user=maria]")
    await expect(maria.locator(f"[data-id='{THREAD}'] .badge")).to_have_count(0)
    await page.get_by_role("switch").first.click()
    await expect(maria.locator("header .line .state")).to_contain_text("Offline")
    box = maria.get_by_role("textbox", name="Write a message")
    for text in ("Saturday is fine!", "I will be there at half past ten."):
        await box.fill(text)
        await box.press("Enter")


async def cut_pair(page: Page) -> None:
    await cut(page)
    tom = page.locator("section[data-user=tom]").get_by_role("textbox", name="Write a message")
    await tom.fill("Bring a blanket for the car")
    await tom.press("Enter")
    await expect(page.locator("section[data-user=tom] .message .tick").last).to_be_visible()
    again = page.locator("section[data-user=maria] header .line .state")
    await expect(again).to_contain_text(re.compile(r"again in ([3-9]|\d\d) s"), timeout=READY_MS)


async def refused(page: Page) -> None:
    """A message that the server does not take, and a reply on its way."""
    await page.locator("chatterbus-thread").evaluate(
        "(element, id) => element.thread.send({ content: 'This one is refused', replyToId: id })", f"{THREAD}~99"
    )
    await expect(page.locator(".failure")).to_be_visible()
    await action(page, "When can we pick it up?", "Edit")


async def action(page: Page, text: str, name: str) -> None:
    row = page.locator(".message").filter(has_text=text).first
    await row.scroll_into_view_if_needed()
    await row.locator(".foot").click()
    await row.get_by_role("button", name=name).click()


async def reply(page: Page) -> None:
    await action(page, "Saturday from ten", "Reply")


async def react(page: Page) -> None:
    await action(page, "When can we pick it up?", "Add a reaction")


async def attach(page: Page) -> None:
    files: list[FilePayload] = [
        {
            "name": "a very long name of a file that somebody scanned.pdf",
            "mimeType": "application/pdf",
            "buffer": b"%PDF",
        },
        {"name": "x.txt", "mimeType": "text/plain", "buffer": b"hello"},
    ]
    await page.locator("chatterbus-thread input[type=file]").set_input_files(files)
    await expect(page.locator(".uploads progress")).to_have_count(0)
    await page.get_by_role("textbox", name="Write a message").fill("Two lines\nof text, and files")


async def look_at_picture(page: Page) -> None:
    await page.get_by_role("button", name="Open picture grain.jpg").click()
    await page.wait_for_function(
        "() => document.querySelector('chatterbus-thread').shadowRoot.querySelector('dialog img')?.naturalWidth > 0"
    )


async def scroll_up(page: Page) -> None:
    await page.locator("chatterbus-thread .scroller").first.evaluate("(scroller) => { scroller.scrollTop = 0; }")


async def show_files(page: Page) -> None:
    """A message with files in sight, and all read."""
    await expect(page.locator("header .about").first).to_have_text("Online")
    await (
        page.locator(".message")
        .filter(has_text="Plan and invoice")
        .evaluate("(row) => row.scrollIntoView({ block: 'center' })")
    )
    await expect(page.locator(f"[data-id='{THREAD}'] .badge")).to_have_count(0)


async def to_inbox(page: Page) -> None:
    await page.get_by_role("button", name="Threads").click()


async def from_the_right(page: Page) -> None:
    await page.evaluate("document.documentElement.dir = 'rtl'")


SHOTS: Final = (
    Shot("welcome-light", "desktop", people=""),
    Shot("welcome-phone-dark", "phone", "dark", people=""),
    Shot("side-by-side", "pair", people=PAIR, prepare=cut_pair, docs=True),
    Shot("dark", "desktop", "dark", show_files, docs=True),
    Shot("phone", "phone", prepare=show_files, docs=True),
    Shot("desktop-light", "desktop"),
    Shot("desktop-dark", "desktop", "dark"),
    Shot("desktop-top-light", "desktop", prepare=scroll_up),
    Shot("phone-light", "phone"),
    Shot("phone-dark", "phone", "dark"),
    Shot("phone-top-light", "phone", prepare=scroll_up),
    Shot("phone-inbox-light", "phone", prepare=to_inbox),
    Shot("phone-inbox-dark", "phone", "dark", to_inbox),
    Shot("phone-offline-dark", "phone", "dark", cut),
    Shot("phone-react-light", "phone", prepare=react),
    Shot("phone-reply-light", "phone", prepare=reply),
    Shot("phone-attach-light", "phone", prepare=attach),
    Shot("phone-pair-light", "phone", people=PAIR),
    Shot("phone-hard-light", "phone", thread=HARD),
    Shot("phone-rtl-light", "phone", prepare=from_the_right, thread=RTL),
    Shot("desktop-rtl-dark", "desktop", "dark", from_the_right, thread=RTL),
    Shot("desktop-hard-light", "desktop", thread=HARD),
    Shot("desktop-react-dark", "desktop", "dark", react),
    Shot("desktop-refused-light", "desktop", prepare=refused),
    Shot("desktop-attach-dark", "desktop", "dark", attach),
    Shot("desktop-picture-light", "desktop", prepare=look_at_picture),
    Shot("phone-picture-dark", "phone", "dark", look_at_picture),
    Shot("pair-light", "pair", people=PAIR, prepare=type_as_tom),
    Shot("pair-offline-light", "pair", people=PAIR, prepare=cut_pair),
    Shot("pair-offline-dark", "pair", "dark", people=PAIR, prepare=cut_pair),
)


async def main(shots: Sequence[Shot], folder: Path, stack: Deployment) -> None:
    if not all(shot.docs for shot in shots):
        await furnish_hard(stack)
    for thread, title, others, lines in reversed(OTHERS):
        await furnish(stack, thread, title, [ME, *others.split(",")], lines)
    await furnish(stack, THREAD, "Oak table", [ME, "tom"], story())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for shot in shots:
            await shot.take(browser, stack.url, folder)
        await browser.close()


async def furnish_hard(stack: Deployment) -> None:
    await furnish(stack, RTL, "מטבח חדש", [ME, "noa"], RTL_LINES)
    await furnish(
        stack, HARD, "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", [ME, "tom", "elif"], HARD_LINES
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--all", type=Path, metavar="FOLDER", help="every picture, and not into docs/images")
    arguments.add_argument("names", nargs="*", help="only pictures whose names begin like this")
    given = arguments.parse_args()
    target = given.all or IMAGES
    target.mkdir(parents=True, exist_ok=True)
    chosen = [
        shot
        for shot in SHOTS
        if (given.all or shot.docs) and (not given.names or shot.name.startswith(tuple(given.names)))
    ]
    with tempfile.TemporaryDirectory() as logs, running_stack(Path(logs) / "up.log", env=LIMITS_OFF) as started:
        asyncio.run(main(chosen, target, Deployment(started, Path(logs))))

"""Everything can be done without a pointer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import Hosts, Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
STEPS_MAX = 40
FOCUSED = """(selector) => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  return Boolean(element?.matches(selector));
}"""


async def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab (or Shift+Tab) until the focus is there."""
    for _ in range(STEPS_MAX):
        if await page.evaluate(FOCUSED, selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached within {STEPS_MAX} times {key}")


async def focused(page: Page, selector: str) -> None:
    await page.wait_for_function(FOCUSED, arg=selector)


async def test_a_person_starts_writes_reacts_edits_and_deletes_by_keyboard(
    web: Deployment, new_context: OpenContext, thread: str
) -> None:
    kay = Visitor("kay", await (await new_context()).new_page())
    kay.attach()
    page = kay.page
    await page.goto(f"{web.url}/#{thread}")
    await focused(page, "#name-field")
    await page.keyboard.type("Kay")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line .state")).to_have_text("Online")
    await tab_to(page, "textarea")
    await page.keyboard.type("one line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("and another")
    await page.keyboard.press("Enter")
    await kay.sees_status("and another", "sent")
    await kay.shows(["one line\nand another"])

    await expect(page.locator(".message[tabindex='0']")).to_have_count(1)
    await tab_to(page, ".message", "Shift+Tab")
    await page.keyboard.press("Enter")
    await focused(page, ".bar button[aria-label='Add a reaction']")
    await page.keyboard.press("Enter")
    await focused(page, ".picker button")
    await page.keyboard.press("Enter")
    await expect(kay.thread().locator(".chip")).to_have_text("👍1")
    await focused(page, ".message")
    await tab_to(page, ".chip")
    await page.keyboard.press("Enter")
    await expect(kay.thread().locator(".chip")).to_have_count(0)

    await tab_to(page, "textarea")
    await page.keyboard.press("ArrowUp")
    await expect(kay.thread().locator(".mode")).to_contain_text("Edit message")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("corrected")
    await page.keyboard.press("Enter")
    await expect(kay.thread().locator(".message")).to_contain_text("corrected")
    await expect(kay.thread().locator(".message")).to_contain_text("edited")

    await tab_to(page, ".message", "Shift+Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, ".bar button[aria-label='Delete']")
    await page.keyboard.press("Enter")
    await focused(page, ".bar button.sure")
    await page.keyboard.press("Enter")
    await expect(kay.thread().locator(".message")).to_contain_text("This message was deleted")
    await page.keyboard.press("Escape")
    await tab_to(page, "[role=switch]", "Shift+Tab")
    await page.keyboard.press("Space")
    await expect(page.locator(".line .state")).to_contain_text("Offline")
    assert kay.faults == []


async def test_threads_of_the_inbox_are_one_tab_stop_and_arrows_move_between_them(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    for number in range(3):
        await host.stack.create_thread(f"{thread}-{number}", user)
    alice = await host.visit(await new_context(), user, inbox=True)
    await expect(alice.page.locator("chatterbus-inbox .thread")).to_have_count(3)
    await alice.page.evaluate(
        "addEventListener('chatterbus-select', ({ detail }) => { window.chosen = detail.threadId; })"
    )
    await tab_to(alice.page, ".thread")
    newest, middle, oldest = [f"[data-id='{thread}-{number}']" for number in (2, 1, 0)]
    await focused(alice.page, newest)
    await alice.page.keyboard.press("ArrowDown")
    await focused(alice.page, middle)
    await alice.page.keyboard.press("End")
    await focused(alice.page, oldest)
    await alice.page.keyboard.press("Enter")
    await alice.page.wait_for_function("(id) => window.chosen === id", arg=f"{thread}-0")
    await expect(alice.inbox_row(f"{thread}-0")).to_have_attribute("aria-current", "true")
    await alice.page.keyboard.press("Tab")
    assert not await alice.page.evaluate(FOCUSED, ".thread")

"""The elements in a page: they keep to themselves, and stay true by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.async_api import FilePayload, Route, expect

from tests.browser.conftest import OpenContext
from tests.browser.test_files import png
from tests.browser.visitor import Hosts
from tests.kit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]


async def test_a_page_may_colour_an_element_from_a_variable_of_any_name(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread)
    await alice.thread().evaluate(
        """({ style }) => {
             for (const name of ["accent", "bubble", "text", "line", "link", "muted"]) {
               style.setProperty(`--${name}`, "rgb(1, 2, 3)");
               style.setProperty(`--chatterbus-${name}`, `var(--${name})`);
             }
           }"""
    )
    await alice.say("in the page's colour")
    await expect(alice.bubble("in the page's colour").locator(".bubble")).to_have_css(
        "background-color", "rgb(1, 2, 3)"
    )


async def test_a_file_beside_a_picture_is_no_higher_than_its_name(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread)
    picked: list[FilePayload] = [
        {"name": "tall.png", "mimeType": "image/png", "buffer": png(150, 300)},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"at ten"},
    ]
    await alice.thread().locator("input[type=file]").set_input_files(picked)
    await expect(alice.thread().locator(".uploads li")).to_have_count(2)
    await expect(alice.thread().locator(".uploads progress")).to_have_count(0)
    await alice.say("both")
    card, picture = alice.bubble("both").locator(".file"), alice.bubble("both").locator(".picture")
    await expect(picture).to_be_visible()
    sizes = [await each.evaluate("(element) => element.offsetHeight") for each in (card, picture)]
    assert sizes[0] < 80 < 250 < sizes[1]


async def test_what_was_today_is_yesterday_after_midnight(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    context = await new_context()
    await context.clock.install(time=datetime.now(UTC))
    alice = await host.visit(context, users[0], thread, inbox=True)
    await alice.say("late in the evening")
    await alice.sees_status("late in the evening", "sent")
    day = alice.thread().locator("li.day")
    await expect(day).to_have_text("Today")
    time = alice.inbox_row(thread).locator("time")
    shown = await time.text_content()
    await context.clock.fast_forward("24:00:00")
    await expect(day).to_have_text("Yesterday")
    await expect(time).not_to_have_text(shown or "")


async def test_an_inbox_and_its_page_watch_different_people(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await host.stack.create_thread(thread, alice, bob)
    await host.stack.create_thread(f"{thread}-2", alice, carol)
    page = await host.visit(await new_context(), alice, bare=True)
    await page.client("client.watchPresence([argument])", carol)
    await page.page.evaluate(
        """() => {
             window.inboxes = [1, 2].map(() => document.createElement("chatterbus-inbox"));
             for (const inbox of window.inboxes) inbox.client = window.client;
             document.getElementById("chat").append(...window.inboxes);
           }"""
    )
    await expect(page.page.locator("chatterbus-inbox .thread")).to_have_count(4)
    await page.page.evaluate("window.inboxes[1].remove()")
    await host.visit(await new_context(), bob, bare=True)
    await host.visit(await new_context(), carol, bare=True)
    for user in (bob, carol):
        await page.until("client.presence(argument)?.status === 'online'", user)
    await page.page.evaluate("window.inboxes[0].remove()")
    carols = await host.visit(await new_context(), carol, bare=True)
    await carols.client("client.setPresence('dnd')")
    await page.until("client.presence(argument)?.status === 'dnd'", carol)


async def test_a_short_thread_at_rest_looks_for_nothing(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    """Its beginning is always in sight, and there is nothing before it."""
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    context = await new_context()
    await context.add_init_script(
        "window.looks = 0; const { observe } = IntersectionObserver.prototype;"
        "IntersectionObserver.prototype.observe = function (node) { window.looks += 1; observe.call(this, node); };"
    )
    alice = await host.visit(context, user, thread)
    await alice.say("hello")
    await alice.sees_status("hello", "sent")
    await alice.bubble("hello").hover()
    await expect(alice.bubble("hello").get_by_role("group", name="Message actions")).to_be_visible()
    looks = await alice.page.evaluate(
        """async () => {
             const before = window.looks;
             for (let frame = 0; frame < 40; frame += 1) await new Promise(requestAnimationFrame);
             return window.looks - before;
           }"""
    )
    assert looks < 10


async def test_what_is_loaded_later_is_asked_for_until_it_is_there(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    context = await new_context()
    refused: list[str] = []

    async def refuse(route: Route) -> None:
        refused.append(route.request.url)
        await route.abort()

    await context.route("**/list-tools.js", refuse)
    alice = await host.visit(context, user, thread)
    await alice.say("hello")
    await alice.sees_status("hello", "sent")
    await until(lambda: bool(refused), 10, "the tools are asked for")
    await context.unroute("**/list-tools.js")
    await alice.act("hello", "Add a reaction")
    await alice.bubble("hello").get_by_role("button", name="👍").click()
    await expect(alice.bubble("hello").locator(".chip")).to_have_text("👍1")

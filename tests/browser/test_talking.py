"""Two people at two pages: what one does, the other sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import Hosts, Visitor
from tests.kit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]


async def two_at(host: Hosts, new_context: OpenContext, users: list[str], *threads: str) -> list[Visitor]:
    """Both are members of the threads, and look at them."""
    for thread in threads:
        await host.stack.create_thread(thread, *users)
    return [await host.visit(await new_context(), user, *threads) for user in users]


async def test_two_pages_talk_in_order(host: Hosts, new_context: OpenContext, cast: Cast, thread: str) -> None:
    alice, bob = await two_at(host, new_context, cast("alice", "bob"), thread)
    await alice.say("Good morning")
    await bob.sees("Good morning")
    await bob.say("Hello!")
    await alice.sees("Hello!")
    for number in range(5):
        await alice.say(f"line {number}")
    await bob.sees("line 4")
    expected = ["Good morning", "Hello!", *(f"line {number}" for number in range(5))]
    await bob.shows(expected)
    await alice.shows(expected)
    assert [m["content"] for m in await host.stack.history(thread, bob.user)] == expected
    assert alice.faults == bob.faults == []


async def test_receipts_arrive_as_ticks_and_are_stored(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice = await host.visit(await new_context(), users[0], thread)
    bob = await host.visit(await new_context(), users[1], thread, bare=True)
    await bob.client("threads[argument].shown = false", thread)
    await alice.say("Have you seen this?")
    await alice.sees_status("Have you seen this?", "delivered")

    async def stored(cursor: str) -> bool:
        async with host.stack.rest(alice.user) as client:
            answer = (await client.get(f"/api/chat/threads/{thread}/receipts")).raise_for_status().json()
        members = answer.get("items") or answer.get("members")
        return bool(next(m for m in members if m["userId"] == bob.user)[cursor] == 1)

    await until(lambda: stored("deliveredSeq"), 5, "delivered is stored")
    assert not await stored("readSeq"), "a covered thread is not read"
    await bob.client("threads[argument].shown = true", thread)
    await alice.sees_status("Have you seen this?", "read")
    await until(lambda: stored("readSeq"), 5, "read is stored")


async def test_typing_is_shown_until_it_stops_or_the_message_comes(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    alice, bob = await two_at(host, new_context, cast("alice", "bob"), thread)
    line = bob.thread().locator(".typing")
    await alice.composer().press_sequentially("Hel")
    await expect(line).to_have_text(f"{alice.user} is typing…")
    await expect(line).to_have_text("", timeout=10_000)  # nothing is typed, so it expires
    await alice.composer().press_sequentially("lo")
    await expect(line).to_have_text(f"{alice.user} is typing…")
    await alice.composer().press("Enter")
    await bob.sees("Hello")
    await expect(line).to_have_text("", timeout=1_500)


async def test_two_threads_of_one_page_do_not_mix(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    first, second = f"{thread}-1", f"{thread}-2"
    alice, bob = await two_at(host, new_context, cast("alice", "bob"), first, second)
    for number in range(5):
        await alice.say(f"first {number}", first)
        await alice.say(f"second {number}", second)
    await bob.sees("first 4", first)
    await bob.sees("second 4", second)
    for visitor in (alice, bob):
        await visitor.shows([f"first {number}" for number in range(5)], first)
        await visitor.shows([f"second {number}" for number in range(5)], second)
    await alice.composer(first).press_sequentially("x")
    await expect(bob.thread(first).locator(".typing")).not_to_have_text("")
    await expect(bob.thread(second).locator(".typing")).to_have_text("")


async def test_unread_messages_are_counted_in_the_inbox_and_divided_in_the_thread(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice = await host.visit(await new_context(), users[0], thread)
    bob = await host.visit(await new_context(), users[1], inbox=True)
    await alice.say("one")
    await alice.say("two")
    badge = bob.inbox_row(thread).locator(".badge:not(.at)")
    await expect(badge).to_contain_text("2 unread")
    await bob.until("client.totalUnread === 2 && client.unread.get(argument).unread === 2", thread)
    await bob.page.evaluate(
        """(id) => {
             const element = Object.assign(document.createElement('chatterbus-thread'), { threadId: id });
             element.client = window.client;
             document.getElementById('chat').append(element);
           }""",
        thread,
    )
    await expect(bob.thread().locator("li.unread")).to_have_text("New")
    rows = await bob.thread().evaluate(
        "(e) => [...e.shadowRoot.querySelectorAll('.rows > li')].map((row) => row.classList[0])"
    )
    assert rows == ["day", "unread", "message", "message"]
    await expect(badge).to_have_count(0)
    await bob.until("client.totalUnread === 0")
    await alice.sees_status("two", "read")


async def test_presence_shows_who_is_here_and_who_left(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice = await host.visit(await new_context(), users[0], thread, inbox=True)
    dots = [alice.inbox_row(thread).locator(".dot"), alice.thread().locator("header .dot")]
    for dot in dots:
        await expect(dot).to_have_class("dot offline")
    bobs = await new_context()
    bob = await host.visit(bobs, users[1], thread)
    for dot in dots:
        await expect(dot).to_have_class("dot online")
    await bob.client("client.setPresence('dnd')")
    for dot in dots:
        await expect(dot).to_have_class("dot dnd")
    await bobs.close()
    for dot in dots:
        await expect(dot).to_have_class("dot offline", timeout=15_000)
    await expect(alice.thread().locator("header .about")).to_contain_text("Last seen")


async def test_a_message_is_edited_reacted_to_replied_to_and_deleted(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    alice, bob = await two_at(host, new_context, cast("alice", "bob"), thread)
    await alice.say("At nine")
    await bob.sees("At nine")

    await bob.act("At nine", "Add a reaction")
    await bob.bubble("At nine").get_by_role("button", name="👍").click()
    chip = alice.bubble("At nine").locator(".chip")
    await expect(chip).to_have_text("👍1")
    await chip.click()
    await expect(bob.bubble("At nine").locator(".chip")).to_have_text("👍2")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await chip.click()
    await expect(bob.bubble("At nine").locator(".chip")).to_have_text("👍1")

    await bob.act("At nine", "Reply")
    await bob.say("Which gate?")
    await expect(alice.bubble("Which gate?").locator(".quote")).to_contain_text("At nine")
    await bob.until("Object.values(threads)[0].messages.at(-1).replyToId === argument", f"{thread}~1")

    await alice.act("At nine", "Edit")
    await alice.say("At ten")
    row = bob.thread().locator(".message").first
    await expect(row).to_contain_text("At ten")
    await expect(row).to_contain_text("edited")

    await alice.act("At ten", "Delete")
    await alice.bubble("At ten").get_by_role("button", name="Really delete?").click()
    await expect(row).to_contain_text("This message was deleted")
    await expect(bob.bubble("Which gate?").locator(".quote")).to_contain_text("This message was deleted")
    first = (await host.stack.history(thread, bob.user))[0]
    assert (first["deleted"], first["content"], first["reactions"]) == (True, "", [])
    assert alice.faults == bob.faults == []

"""Long threads: older messages come when they are scrolled to, and nothing jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import Hosts, Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
MESSAGES = 260


async def write(stack: Deployment, thread: str, user: str, count: int) -> None:
    socket = await stack.join(user, thread)
    for number in range(1, count + 1):
        await socket.send("message", threadId=thread, content=f"message {number}.", clientMessageId=f"m-{number}")
    await socket.expect(
        "message_ack", lambda f: f["clientMessageId"] == f"m-{count}" and f["status"] == "sent", within_s=30
    )
    await socket.close()


async def held_place(visitor: Visitor, scroll_to: int) -> dict[str, Any]:
    """Scroll there, and say which row is at the top then and where."""
    place: dict[str, Any] = await visitor.thread().evaluate(
        """(element, to) => {
             const scroller = element.shadowRoot.querySelector('.scroller');
             scroller.scrollTop = to;
             const { top } = scroller.getBoundingClientRect();
             const rows = [...element.shadowRoot.querySelectorAll('.message')];
             const row = rows.find((each) => each.getBoundingClientRect().top >= top);
             window.heldRow = row;
             return { top: row.getBoundingClientRect().top, drawn: rows.length };
           }""",
        scroll_to,
    )
    return place


async def test_history_loads_above_and_the_reader_keeps_their_place(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    await write(host.stack, thread, users[0], MESSAGES)
    alice = await host.visit(await new_context(), users[0], thread)
    await alice.sees(f"message {MESSAGES}.")
    first = await alice.client("threads[argument].messages.length", thread)
    assert first < MESSAGES, "not all at once"
    assert await alice.client("threads[argument].hasOlder", thread)
    for _ in range(8):
        if not await alice.client("threads[argument].hasOlder", thread):
            break
        before = await held_place(alice, 150)
        await alice.page.wait_for_function(
            "(drawn) => heldRow.getRootNode().querySelectorAll('.message').length > drawn",
            arg=before["drawn"],
        )
        after = await alice.page.evaluate("heldRow.isConnected && heldRow.getBoundingClientRect().top")
        assert after is not False
        assert abs(after - before["top"]) <= 2, "the row that was read did not move"
    await held_place(alice, 0)
    await alice.sees("message 1.")
    assert await alice.client("threads[argument].messages.map(({ seq }) => seq)", thread) == list(
        range(1, MESSAGES + 1)
    )
    await expect(alice.thread().locator(".pill")).to_be_visible()
    place = await held_place(alice, 100)
    bob = await host.visit(await new_context(), users[1], thread)
    await bob.say("new at the end")
    await expect(alice.thread().locator(".pill")).to_contain_text("1 new message")
    assert abs(await alice.page.evaluate("heldRow.getBoundingClientRect().top") - place["top"]) <= 2
    await alice.thread().locator(".pill").click()
    await expect(alice.bubble("new at the end")).to_be_in_viewport()


async def test_a_reply_jumps_to_what_it_answers(host: Hosts, new_context: OpenContext, cast: Cast, thread: str) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    await write(host.stack, thread, user, 120)
    alice = await host.visit(await new_context(), user, thread)
    await alice.client("threads[argument].send({ content: 'about the third', replyToId: `${argument}~3` })", thread)
    await alice.sees_status("about the third", "sent")
    await alice.bubble("about the third").locator(".quote").click()
    await expect(alice.bubble("message 3.")).to_be_in_viewport()

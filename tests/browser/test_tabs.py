"""Tabs of one browser share one socket, and none of them notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from playwright.async_api import BrowserContext, expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import BACK_WITHIN_MS, Hosts, Visitor
from tests.kit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]


async def tabs(host: Hosts, context: BrowserContext, user: str, count: int, *threads: str) -> list[Visitor]:
    opened = [await host.visit(context, user, *threads) for _ in range(count)]
    leaders = [await tab.client("client.leader") for tab in opened]
    assert leaders == [True, *[False] * (count - 1)], "the first one has the socket"
    return opened


async def test_two_tabs_share_one_socket_and_both_send_and_hear(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    leader, follower = await tabs(host, await new_context(), users[0], 2, thread)
    assert [len(leader.sockets), len(follower.sockets)] == [1, 0]
    bob = await host.visit(await new_context(), users[1], thread)
    await follower.say("from the follower")
    await leader.say("from the leader")
    for visitor in (leader, follower, bob):
        await visitor.sees("from the follower")
        await visitor.sees("from the leader")
    await bob.say("to both")
    for visitor in (leader, follower):
        await visitor.sees("to both")
    await follower.sees_status("from the follower", "read")
    await bob.composer().press_sequentially("x")
    await expect(follower.thread().locator(".typing")).to_have_text(f"{users[1]} is typing…")
    assert [len(leader.sockets), len(follower.sockets)] == [1, 0]
    assert len(await host.stack.history(thread, users[0])) == 3


async def test_when_the_leader_closes_another_tab_takes_over(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    leader, second, third = await tabs(host, await new_context(), users[0], 3, thread)
    bob = await host.visit(await new_context(), users[1], thread)
    await third.say("before")
    await bob.sees("before")
    await leader.page.close()

    async def one_leads() -> bool:
        return sorted([await tab.client("client.leader") for tab in (second, third)]) == [False, True]

    await until(one_leads, 10, "one of the others leads")
    for tab in (second, third):
        await tab.online()
    assert second.open_sockets + third.open_sockets == 1
    await second.say("after")
    await bob.say("heard")
    for tab in (second, third, bob):
        await tab.sees("after")
        await tab.sees("heard")
    assert sorted(m["content"] for m in await host.stack.history(thread, users[0])) == ["after", "before", "heard"]


async def test_what_a_follower_had_not_sent_is_sent_once_by_the_next_leader(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    context = await new_context()
    leader, follower = await tabs(host, context, user, 2, thread)
    await context.set_offline(True)
    for tab in (leader, follower):
        await tab.until("client.connectionState === 'offline'")
    await follower.say("written offline")
    await follower.sees_status("written offline", "sending")
    await leader.page.close()
    await context.set_offline(False)
    await follower.sees_status("written offline", "sent", BACK_WITHIN_MS)
    assert [m["content"] for m in await host.stack.history(thread, user)] == ["written offline"]


async def test_a_message_of_a_follower_shows_once_in_every_tab(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    leader, follower = await tabs(host, await new_context(), users[0], 2, thread)
    texts = [f"number {n}" for n in range(8)]
    for text in texts[:4]:
        await follower.say(text)
    for n, text in enumerate(texts[4:]):
        await (leader, follower)[n % 2].say(text)
        await (leader, follower)[n % 2].sees_status(text, "sent")
    for tab in (leader, follower):
        await tab.sees_status(texts[-1], "sent")
        await tab.shows(texts)
        assert await tab.client("client.waiting") == 0
    assert [m["content"] for m in await host.stack.history(thread, users[0])] == texts
    ids = await follower.client("Object.values(threads)[0].messages.map((message) => message.key)")
    assert ids == await leader.client("Object.values(threads)[0].messages.map((message) => message.key)")
    assert [len(leader.sockets), len(follower.sockets)] == [1, 0]


async def test_when_the_leader_is_killed_the_follower_sends_what_it_had_written(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    leader, follower = await tabs(host, await new_context(), users[0], 2, thread)
    bob = await host.visit(await new_context(), users[1], thread)
    # The leader takes messages in and brings none to the server.
    await leader.page.evaluate("WebSocket.prototype.send = () => {}")
    written = [f"unsent {n}" for n in range(3)]
    for text in written:
        await follower.say(text)
    await leader.sees("unsent 2")
    await follower.sees_status("unsent 2", "sending")
    await leader.page.close()
    await follower.sees_status("unsent 2", "sent", BACK_WITHIN_MS)
    await bob.sees("unsent 2")
    for visitor in (follower, bob):
        await visitor.shows(written)
    assert [m["content"] for m in await host.stack.history(thread, users[0])] == written
    assert await follower.client("client.leader")


async def test_a_leader_that_hangs_is_deposed_by_a_tab_that_is_seen(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    leader, follower = await tabs(host, await new_context(), user, 2, thread)
    hung = leader.page.evaluate("{ const end = Date.now() + 9_000; while (Date.now() < end); }")
    waiting = asyncio.ensure_future(hung)
    await follower.say("anybody there?")
    await follower.sees_status("anybody there?", "sent", 8_500)
    assert not waiting.done(), "it hung all the time"
    assert await follower.client("client.leader")
    await waiting
    await leader.until("!client.leader && client.connectionState === 'online'", within_ms=BACK_WITHIN_MS)
    await leader.sees("anybody there?")
    assert leader.open_sockets + follower.open_sockets == 1
    await leader.say("back")
    for tab in (leader, follower):
        await tab.shows(["anybody there?", "back"])


async def test_a_tab_that_goes_back_in_its_history_is_as_it_was(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    leader, follower = await tabs(host, await new_context(), user, 2, thread)
    await leader.page.goto("about:blank")
    await follower.until("client.leader && client.connectionState === 'online'", within_ms=BACK_WITHIN_MS)
    await follower.say("while the other was away")
    await leader.page.go_back()
    await leader.page.wait_for_function("() => window.hostReady")
    await leader.online()
    await leader.sees("while the other was away")
    assert [await tab.client("client.leader") for tab in (leader, follower)] == [False, True]


async def test_a_token_never_touches_what_tabs_share(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    token = host.stack.token(user)
    context = await new_context()
    await context.add_init_script(
        "window.overheard = [];"
        "const post = BroadcastChannel.prototype.postMessage;"
        "BroadcastChannel.prototype.postMessage = function (data) { overheard.push(data); post.call(this, data); };"
    )
    options = {"token": token, "userId": None}
    leader, follower = [await host.visit(context, user, thread, options=options) for _ in range(2)]
    await follower.say("hello")
    await leader.sees("hello")
    said = [await tab.page.evaluate("overheard") for tab in (leader, follower)]
    assert all(said), "they share"
    assert not [line for lines in said for line in lines if token in line or token.split(".")[2] in line]


async def test_tabs_of_two_users_do_not_mix(host: Hosts, new_context: OpenContext, cast: Cast, thread: str) -> None:
    users = cast("alice", "bob")
    private = f"{thread}-private"
    await host.stack.create_thread(thread, *users)
    await host.stack.create_thread(private, users[0])
    context = await new_context()
    alice = await host.visit(context, users[0], thread, private)
    bob = await host.visit(context, users[1], thread)
    assert [await visitor.client("client.leader") for visitor in (alice, bob)] == [True, True]
    await alice.say("for nobody else", private)
    await alice.say("from the other tab", thread)
    await bob.sees("from the other tab")
    await bob.say("an answer")
    await alice.sees("an answer", thread)
    assert await bob.client("client.me.userId") == users[1]
    assert "for nobody else" not in json.dumps(await bob.page.evaluate("told"))
    senders = {m["content"]: m["senderId"] for m in await host.stack.history(thread, users[0])}
    assert senders == {"from the other tab": users[0], "an answer": users[1]}
    await alice.page.close()
    await bob.say("alone")
    await bob.sees_status("alone", "sent")
    assert len(bob.sockets) == 1

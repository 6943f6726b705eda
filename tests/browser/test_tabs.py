"""Tabs of one browser share one socket, and none of them notices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import BrowserContext, expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import BACK_WITHIN_MS, Hosts, Visitor
from tests.kit.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xfail(reason="each tab has a socket of its own still"),
]
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


async def test_tabs_of_two_users_do_not_share(host: Hosts, new_context: OpenContext, cast: Cast, thread: str) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    context = await new_context()
    alice, bob = [await host.visit(context, user, thread) for user in users]
    assert [await visitor.client("client.leader") for visitor in (alice, bob)] == [True, True]
    await alice.say("from the other tab")
    await bob.sees("from the other tab")
    assert await bob.client("client.me.userId") == users[1]

"""Tokens end: with a callback nobody notices, without one the page is told that it is signed out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import Hosts
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
SHORT_S = 4


class Mint:
    """The product's backend: its first `short` tokens end soon."""

    def __init__(self, stack: Deployment, user: str, short: int) -> None:
        self.stack, self.user, self.short, self.made = stack, user, short, 0

    def __call__(self) -> str:
        self.made += 1
        return self.stack.token(self.user, ttl_s=SHORT_S if self.made <= self.short else 3_600)


async def test_a_token_that_expires_is_replaced_on_the_open_socket(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    mint = Mint(host.stack, user, short=1)
    alice = await host.visit(await new_context(), user, thread, mint=mint)
    assert mint.made >= 1
    born = await alice.page.evaluate("Date.now()")
    await alice.until("Date.now() > argument", born + SHORT_S * 1_000 + 1_500)
    await alice.say("still here")
    await alice.sees_status("still here", "sent")
    assert mint.made == 2
    assert len(alice.sockets) == 1
    assert "signedout" not in [event["type"] for event in await alice.page.evaluate("told")]


async def test_a_token_that_ended_while_the_page_was_away_is_replaced(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    mint = Mint(host.stack, user, short=2)
    context = await new_context()
    alice = await host.visit(context, user, thread, mint=mint)
    await context.set_offline(True)
    await alice.until("client.connectionState === 'offline'")
    born = await alice.page.evaluate("Date.now()")
    await alice.until("Date.now() > argument", born + SHORT_S * 1_000 + 500)
    await context.set_offline(False)
    await alice.online()
    await alice.say("back")
    await alice.sees_status("back", "sent")


async def test_without_a_callback_an_expired_token_signs_out(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    options = {"token": host.stack.token(user, ttl_s=SHORT_S), "userId": None}
    alice = await host.visit(await new_context(), user, thread, options=options)
    await alice.until("told.some(({ type, code }) => type === 'signedout' && code === 4502)")
    await alice.until("client.connectionState === 'closed'")
    await expect(alice.thread().get_by_role("alert").first).to_contain_text("signed out")
    assert len(alice.sockets) == 1, "an expired token is not tried again"


async def test_a_token_that_is_refused_signs_out(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    options = {"token": "not-a-token", "userId": None}
    alice = await host.visit(await new_context(), "nobody", thread, options=options, online=False)
    await alice.until("told.some(({ type, code }) => type === 'signedout' && code === 4501)")
    await alice.until("client.connectionState === 'closed'")
    assert len(alice.sockets) == 1


async def test_a_stranger_is_told_that_the_thread_is_not_available(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    owner, stranger = cast("alice", "mallory")
    await host.stack.create_thread(thread, owner)
    options = {"token": host.stack.token(stranger), "userId": None}
    mallory = await host.visit(await new_context(), stranger, thread, options=options, online=False)
    await mallory.until("told.some(({ type, threadId }) => type === 'lost' && threadId === argument)", thread)
    await expect(mallory.thread()).to_contain_text("This thread is not available")

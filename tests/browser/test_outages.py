"""Cut, killed, blocked, reloaded: what was written arrives once and in order, and the page comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import BACK_WITHIN_MS, Hosts, Visitor
from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
BLOCK_SOCKETS = """
window.WebSocket = class extends EventTarget {
  readyState = 0;
  constructor() {
    super();
    setTimeout(() => {
      this.readyState = 3;
      const closed = new CloseEvent("close", { code: 1006 });
      this.onerror?.(new Event("error"));
      this.onclose?.(closed);
      this.dispatchEvent(closed);
    }, 20);
  }
  send() { throw new DOMException("not open", "InvalidStateError"); }
  close() {}
};
"""


@pytest_asyncio.fixture(loop_scope="session")
async def wire(host: Hosts) -> AsyncIterator[TcpProxy]:
    """Between a page and the gateway."""
    gateway = urlsplit(host.stack.url)
    assert gateway.hostname is not None
    assert gateway.port is not None
    where = (gateway.hostname, gateway.port)
    async with open_proxy(lambda: where) as proxy:
        yield proxy


def through(wire: TcpProxy) -> str:
    return f"http://127.0.0.1:{wire.port}"


async def stored(host: Hosts, thread: str, user: str) -> list[str]:
    return [message["content"] for message in await host.stack.history(thread, user)]


async def back(visitor: Visitor) -> None:
    """Online again; without waiting out the backoff, as when the browser says that there is a network."""
    await visitor.page.evaluate("dispatchEvent(new Event('online'))")
    await visitor.online()


async def test_after_an_outage_the_outbox_is_flushed_once_and_in_order(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str, wire: TcpProxy
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice = await host.visit(await new_context(), users[0], thread, gateway=through(wire))
    bob = await host.visit(await new_context(), users[1], thread)
    await alice.say("before")
    await bob.sees("before")
    wire.refuse()
    await alice.until("client.connectionState !== 'online' && client.stale")
    for number in range(5):
        await alice.say(f"queued {number}")
        await alice.sees_status(f"queued {number}", "sending")
    await expect(alice.thread().locator(".banner")).to_contain_text("5 waiting to be sent")
    await bob.say("meanwhile")
    await bob.sees_status("meanwhile", "sent")
    wire.pass_all()
    await back(alice)
    await bob.sees("queued 4")
    expected = ["before", "meanwhile", *(f"queued {number}" for number in range(5))]
    assert await stored(host, thread, alice.user) == expected
    await bob.shows(expected)
    await alice.sees_status("queued 4", "read")
    await alice.shows(expected)
    await expect(alice.thread().locator(".banner")).to_be_hidden()


async def test_a_browser_that_is_offline_sends_when_it_is_back(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    context = await new_context()
    alice = await host.visit(context, user, thread)
    await context.set_offline(True)
    await alice.until("client.connectionState === 'offline'")
    await alice.say("from the tunnel")
    await alice.sees_status("from the tunnel", "sending")
    await context.set_offline(False)
    await alice.sees_status("from the tunnel", "sent", BACK_WITHIN_MS)
    assert await stored(host, thread, user) == ["from the tunnel"]


async def test_a_cut_connection_resumes_with_what_was_missed(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str, wire: TcpProxy
) -> None:
    users = cast("alice", "bob")
    await host.stack.create_thread(thread, *users)
    alice = await host.visit(await new_context(), users[0], thread, gateway=through(wire))
    bob = await host.visit(await new_context(), users[1], thread)
    await bob.say("one")
    await bob.say("two")
    await alice.sees("two")
    wire.refuse()
    await alice.until("client.connectionState !== 'online'")
    await bob.act("one", "Edit")
    await bob.say("one, corrected")
    await bob.act("two", "Add a reaction")
    await bob.bubble("two").get_by_role("button", name="🎉").click()
    await bob.say("three")
    await bob.sees_status("three", "sent")
    wire.pass_all()
    await back(alice)
    await alice.sees("three")
    await alice.shows(["one, corrected", "two", "three"])
    await expect(alice.bubble("two").locator(".chip")).to_have_text("🎉1")


async def test_without_websocket_messages_go_by_http(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    first, second = f"{thread}-1", f"{thread}-2"
    await host.stack.create_thread(first, user)
    await host.stack.create_thread(second, user)
    context = await new_context()
    await context.add_init_script(BLOCK_SOCKETS)
    alice = await host.visit(context, user, first, second, online=False, bare=True)
    for number in range(4):
        await alice.client("threads[argument[0]].send({ content: argument[1] })", [first, f"first {number}"])
        await alice.client("threads[argument[0]].send({ content: argument[1] })", [second, f"second {number}"])
    await alice.until(
        "Object.values(threads).every((thread) => thread.messages.length === 4"
        " && thread.messages.every(({ status }) => status === 'sent'))",
        within_ms=30_000,
    )
    assert await stored(host, first, user) == [f"first {number}" for number in range(4)]
    assert await stored(host, second, user) == [f"second {number}" for number in range(4)]
    assert not await alice.client("client.connectionState === 'online'")


async def test_an_unsent_message_survives_a_reload_and_is_sent_once(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str, wire: TcpProxy
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread, gateway=through(wire))
    await alice.say("stored before")
    await alice.sees_status("stored before", "sent")
    wire.refuse()
    await alice.until("client.connectionState !== 'online'")
    await alice.say("unsent one")
    await alice.say("unsent two")
    await alice.sees_status("unsent two", "sending")
    # Safe once it is in the store; a person's reload would not come within this moment.
    ids = await alice.client(
        "Object.values(threads)[0].messages.filter((m) => m.pending).map((m) => m.clientMessageId)"
    )
    await alice.page.reload()
    await alice.page.wait_for_function("() => window.hostReady")
    await alice.sees("unsent two")
    wire.pass_all()
    await back(alice)
    await alice.sees_status("unsent two", "sent", BACK_WITHIN_MS)
    await alice.shows(["stored before", "unsent one", "unsent two"])
    messages = await host.stack.history(thread, user)
    assert [m["content"] for m in messages] == ["stored before", "unsent one", "unsent two"]
    assert [m["clientMessageId"] for m in messages[1:]] == ids


async def test_a_message_whose_answer_was_lost_is_stored_once(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str, wire: TcpProxy
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread, gateway=through(wire))
    sockets = len(alice.sockets)
    # Client frames are masked, so it is told by its length alone, from pings and from requests.
    trigger = wire.cut_when(lambda data: len(data) > 4_000, forward=True)
    await alice.say("x" * 5_000)
    await until(lambda: trigger.fired > 0, 10, "the connection was cut with the message on its way")
    wire.trigger = None
    await alice.until("Object.values(threads)[0].messages.at(-1)?.status === 'sent'", within_ms=BACK_WITHIN_MS)
    assert len(alice.sockets) > sockets
    assert await stored(host, thread, user) == ["x" * 5_000]


async def test_a_message_that_is_refused_says_so_and_can_be_discarded(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    alice_id, bob_id = cast("alice", "bob")
    await host.stack.create_thread(thread, alice_id, bob_id)
    bob = await host.visit(await new_context(), bob_id, thread)
    await bob.client("threads[argument].send({ content: 'to nobody', replyToId: argument + '~99' })", thread)
    row = bob.bubble("to nobody")
    await expect(row.get_by_role("alert")).to_contain_text("Not sent")
    await row.get_by_role("button", name="Discard").click()
    await expect(row).to_have_count(0)
    await bob.say("to somebody")
    await bob.sees_status("to somebody", "sent")
    assert await stored(host, thread, bob_id) == ["to somebody"]

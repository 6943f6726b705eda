"""Presence, unread counts and typing as clients hear them: of those they share a thread with, and of nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chatterbus_runtime.nats_link import NatsLink
from tests.integration.gateway.conftest import WAIT_S, Client, RunningGateway, Start
from tests.integration.gateway.ledger import Ledger, member
from tests.integration.gateway.notifier import Notifier
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


@pytest.fixture
async def notifier(link: NatsLink, ledger: Ledger) -> Notifier:
    return await Notifier.start(link)


async def presence(client: Client, count: int = 1) -> list[tuple[str, str, int]]:
    """The next frames of presence, other frames passed over."""
    frames = [await client.hear_until("presence") for _ in range(count)]
    return sorted((frame["userId"], frame["status"], frame["version"]) for frame in frames)


async def quiet(client: Client) -> list[dict[str, Any]]:
    """What comes before the answer to a ping. The snapshot for a new connection comes when it comes."""
    await client.say(type="ping", id="quiet")
    frames = []
    while (frame := await client.hear())["type"] != "pong":
        frames.append(frame)
    return [frame for frame in frames if frame["type"] != "unread_snapshot"]


async def joined(gateway: RunningGateway, user_id: str, thread_id: str) -> Client:
    client = await gateway.login(user_id, threadId=thread_id)
    await client.hear_until("subscribed")
    return client


async def test_a_subscriber_hears_of_each_other_member_and_then_of_changes(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob", "carl")
    notifier.change("bob", "online", 5)
    anna = await joined(gateway, "anna", "t1")
    assert await presence(anna, 2) == [("bob", "online", 5), ("carl", "offline", 0)]
    notifier.change("bob", "away", 6)
    assert await presence(anna) == [("bob", "away", 6)]
    bob = await joined(gateway, "bob", "t1")
    assert await presence(bob, 2) == [("anna", "offline", 0), ("carl", "offline", 0)]
    notifier.change("anna", "online", 7)
    assert await presence(bob) == [("anna", "online", 7)]
    assert [frame for frame in await quiet(anna) if frame["type"] == "presence"] == []


async def test_with_no_thread_in_common_nothing_is_heard_and_rest_says_never_seen(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob")
    ledger.thread("t2", "eve")
    notifier.change("bob", "online", 5)
    anna, eve = await joined(gateway, "anna", "t1"), await joined(gateway, "eve", "t2")
    await presence(anna)
    await eve.say(type="presence_watch", userIds=["bob", "nobody"])
    assert await presence(eve, 2) == [("bob", "offline", 0), ("nobody", "offline", 0)]
    notifier.change("bob", "dnd", 6)
    assert await presence(anna) == [("bob", "dnd", 6)]
    assert await quiet(eve) == []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}/api/users") as rest:
        for user_id, seen in (("eve", "offline"), ("anna", "dnd")):
            found = await rest.get("/bob/presence", headers={"X-User-Id": user_id})
            assert found.json() == {"userId": "bob", "status": seen, "lastSeenAt": None}
        listed = [await rest.get("/online", headers={"X-User-Id": user_id}) for user_id in ("eve", "anna")]
        assert [[item["userId"] for item in page.json()["items"]] for page in listed] == [[], ["bob"]]


async def test_a_removed_member_neither_hears_nor_is_heard_of(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob", "carl")
    anna, bob = await joined(gateway, "anna", "t1"), await joined(gateway, "bob", "t1")
    await presence(anna, 2)
    await presence(bob, 2)
    ledger.remove("t1", "bob")
    await anna.hear_until("member_removed")
    await bob.hear_until("member_removed")
    notifier.change("bob", "online", 5)
    notifier.change("anna", "online", 6)
    notifier.change("carl", "online", 7)
    assert await presence(anna) == [("carl", "online", 7)]
    assert await quiet(anna) == await quiet(bob) == []
    ledger.threads["t1"].members.add("dora")
    ledger.change("t1", "member_added", {"data": member("dora")})
    assert await presence(anna) == [("dora", "offline", 0)]


async def test_a_member_whose_removal_was_lost_is_not_heard_of_after_the_gap_shows(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob")
    anna = await joined(gateway, "anna", "t1")
    await presence(anna)
    ledger.announce = False
    ledger.remove("t1", "bob")
    ledger.announce = True
    syncs = ledger.syncs
    ledger.say("t1", "shows the gap")
    await until(lambda: ledger.syncs > syncs, WAIT_S, "the members are read anew")
    await until(lambda: not gateway.parts.follower._book.watches.is_watched("bob"), WAIT_S, "bob is no member")
    notifier.change("bob", "online", 5)
    await anna.hear_until("message")
    assert await quiet(anna) == []


async def test_a_watch_is_answered_for_each_and_replaced_by_the_next(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob")
    ledger.thread("t2", "anna", "carl")
    notifier.change("bob", "online", 5)
    anna = await gateway.login("anna")
    await anna.say(type="presence_watch", userIds=["bob", "carl", "bob", "anna"])
    assert await presence(anna, 3) == [("anna", "offline", 0), ("bob", "online", 5), ("carl", "offline", 0)]
    await anna.say(type="presence_watch", userIds=["carl"])
    assert await presence(anna) == [("carl", "offline", 0)]
    notifier.change("bob", "away", 6)
    notifier.change("carl", "online", 7)
    assert await presence(anna) == [("carl", "online", 7)]
    assert await quiet(anna) == []


async def test_a_snapshot_finds_its_connection_and_notices_all_of_the_users(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    phone, tablet, bob = [await gateway.login(user) for user in ("anna", "anna", "bob")]
    for client in (phone, tablet, bob):
        await client.hear("unread_snapshot")
    notifier.tell("anna", {"type": "unread", "threadId": "t1", "version": 2})
    assert (await phone.hear("unread"))["threadId"] == (await tablet.hear("unread"))["threadId"] == "t1"
    assert await quiet(phone) == await quiet(bob) == []
    for client in (phone, tablet, bob):
        await client.connection.close()
    await until(lambda: not len(gateway.parts.user_feed), WAIT_S, "nobody is listened to")


async def test_a_choice_is_acked_once_the_notifier_has_it_and_refused_when_there_is_none(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    anna = await gateway.login("anna")
    await anna.hear("unread_snapshot")
    await anna.say(type="presence_set", status="away", ref="r0")
    assert (await anna.hear("ack"))["ref"] == "r0"
    await until(lambda: [device.state for device in notifier.here][-1] == "away", WAIT_S, "the device is away")
    await anna.hear_until("unread_snapshot")
    for status in ("invisible", "dnd", "online"):
        await anna.say(type="presence_set", status=status, ref=status)
        assert (await anna.hear_until("ack"))["ref"] == status
    assert notifier.chosen == [("anna", "invisible"), ("anna", "dnd"), ("anna", "online")]
    for listener in notifier.listeners:
        listener.close()
    await notifier.link.flush(5)
    await anna.say(type="presence_set", status="dnd", ref="r1")
    error = await anna.hear_until("error")
    assert (error["code"], error["ref"], error["retryable"]) == ("PRESENCE_UNAVAILABLE", "r1", True)


async def test_typing_of_one_who_is_hidden_is_not_passed_on(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob")
    anna, bob = await joined(gateway, "anna", "t1"), await joined(gateway, "bob", "t1")
    await anna.say(type="presence_set", status="invisible", ref="r1")
    await anna.hear_until("ack")
    await until(lambda: gateway.parts.user_feed.is_hidden("anna"), WAIT_S, "anna is hidden")
    await anna.say(type="typing", threadId="t1")
    await quiet(anna)
    assert [frame for frame in await quiet(bob) if frame["type"] == "typing"] == []
    await anna.say(type="presence_set", status="online", ref="r2")
    await until(lambda: not gateway.parts.user_feed.is_hidden("anna"), WAIT_S, "anna is not hidden any more")
    await anna.say(type="typing", threadId="t1")
    assert (await bob.hear_until("typing"))["userId"] == "anna"


async def test_typing_reaches_other_followers_only_and_passes_at_once_after_a_message(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    ledger.thread("t1", "anna", "bob")
    ledger.thread("t2", "eve")
    anna, tablet, bob = [await joined(gateway, user, "t1") for user in ("anna", "anna", "bob")]
    eve = await joined(gateway, "eve", "t2")
    await anna.say(type="typing", threadId="t1")
    notice = await bob.hear_until("typing")
    assert (notice["isTyping"], notice["expiresInMs"]) == (True, 3_000)
    await anna.say(type="message", threadId="t1", content="Hello", clientMessageId="m1")
    await bob.hear("message")
    await anna.say(type="typing", threadId="t1")
    await bob.hear("typing")
    await anna.say(type="typing", threadId="t1")
    await eve.say(type="typing", threadId="t1")
    await quiet(anna)
    assert [frame for client in (bob, eve) for frame in await quiet(client)] == []
    assert [frame["type"] for frame in await quiet(tablet)] == ["message"]


async def test_after_a_lost_link_everybody_is_asked_about_again(
    start_gateway: Start, ledger: Ledger, notifier: Notifier, nats_server: NatsServer
) -> None:
    gateway = await start_gateway()
    ledger.thread("t1", "anna", "bob")
    anna = await joined(gateway, "anna", "t1")
    assert await presence(anna) == [("bob", "offline", 0)]
    nats_server.kill()
    notifier.change("bob", "online", 9, told=False)
    nats_server.start()
    async with asyncio.timeout(20):
        while True:
            try:
                frame = await anna.hear()
            except TimeoutError:
                continue
            if frame["type"] == "presence":
                break
    assert (frame["userId"], frame["status"], frame["version"]) == ("bob", "online", 9)


async def test_with_platform_visibility_a_stranger_is_told_of_and_all_are_listed_by_pages(
    start_gateway: Start, ledger: Ledger, notifier: Notifier
) -> None:
    gateway = await start_gateway(gateway_presence_visibility="platform")
    for number in range(9):
        notifier.change(f"user{number}", "online", number + 1)
    eve = await gateway.login("eve")
    await eve.say(type="presence_watch", userIds=["user3"])
    assert await presence(eve) == [("user3", "online", 4)]
    listed: list[str] = []
    cursor = ""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}/api/users") as rest:
        rest.headers["X-User-Id"] = "eve"
        for _ in range(9):
            page = (await rest.get(f"/online?limit=2{cursor}")).json()
            listed += [item["userId"] for item in page["items"]]
            if page["nextCursor"] is None:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert listed == [f"user{number}" for number in range(9)]
        notifier.answering_shards = {0}
        half = await rest.get("/online")
        assert (half.status_code, half.json()["code"]) == (503, "PRESENCE_UNAVAILABLE")


async def test_when_all_have_left_nothing_is_listened_to(
    gateway: RunningGateway, ledger: Ledger, notifier: Notifier
) -> None:
    ledger.thread("t1", "anna", "bob")
    book = gateway.parts.follower._book
    anna, bob = await joined(gateway, "anna", "t1"), await joined(gateway, "bob", "t1")
    await presence(anna)
    await presence(bob)
    await anna.say(type="presence_watch", userIds=["bob"])
    await presence(anna)
    assert len(book) == 2
    for client in (anna, bob):
        await client.connection.close()
    await until(lambda: not len(book) and not book.watches, 15, "the indexes are empty")

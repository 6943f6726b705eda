"""Following threads: nothing falls between the state and the live events, and whoever is no member hears nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.gateway.conftest import WAIT_S, Client, RunningGateway, Start
from tests.integration.gateway.ledger import Ledger
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


async def revs_until(client: Client, last: int) -> list[int]:
    revs: list[int] = []
    while last not in revs:
        frame = await client.hear()
        if "rev" in frame and frame["type"] != "subscribed":
            revs.append(frame["rev"])
        assert frame["type"] != "resync"
    return revs


async def test_events_that_race_with_a_subscribe_arrive_once_and_in_order(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    ledger.thread("t1", *[f"user{n}" for n in range(20)])
    ledger.before_sync_reply = lambda _thread: [ledger.say("t1", "during") for _ in range(3)] and None

    async def one(n: int) -> None:
        client = await gateway.login(f"user{n}")
        await client.say(type="subscribe", threadId="t1", sinceRev=0, ref=f"r{n}")
        subscribed = await client.hear("subscribed")
        assert (subscribed["result"], subscribed["ref"]) == ("complete", f"r{n}")
        assert [member["userId"] for member in subscribed["members"]].count(f"user{n}") == 1
        changes = [(await client.hear())["rev"] for _ in range(subscribed["throughRev"])]
        assert changes == list(range(1, subscribed["throughRev"] + 1))
        followers.append((client, subscribed["rev"]))

    followers: list[tuple[Client, int]] = []
    for n in range(20):
        ledger.say("t1", "before")
        await one(n)
        ledger.say("t1", "after")
    last = ledger.threads["t1"].rev
    for client, rev in followers:
        assert await revs_until(client, last) == list(range(rev + 1, last + 1))


async def test_missed_changes_come_in_pages_and_a_long_absence_is_said(gateway: RunningGateway, ledger: Ledger) -> None:
    ledger.thread("t1", "anna")
    ledger.page_size = 10
    for _ in range(80):
        ledger.say("t1", "old")
    anna = await gateway.login("anna")
    await anna.say(type="subscribe", threadId="t1", sinceRev=40)
    subscribed = await anna.hear("subscribed")
    assert (subscribed["result"], subscribed["throughRev"]) == ("complete", 80)
    assert await revs_until(anna, 80) == list(range(41, 81))
    await anna.say(type="subscribe", threadId="t1", sinceRev=0)
    subscribed = await anna.hear("subscribed")
    assert (subscribed["result"], subscribed["throughRev"], subscribed["rev"]) == ("page", 50, 80)
    assert await revs_until(anna, 50) == list(range(1, 51))
    ledger.say("t1", "new")
    assert (await anna.hear("message"))["rev"] == 81


async def test_somebody_elses_thread_looks_like_one_that_does_not_exist(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway()
    ledger.thread("t1", "bob")
    anna = await gateway.login("anna")
    errors = []
    for thread in ("t1", "t1"):
        await anna.say(type="subscribe", threadId=thread, ref="r")
        errors.append(await anna.hear("error"))
    assert errors[0] == errors[1]
    assert (errors[0]["code"], errors[0]["ref"]) == ("THREAD_NOT_FOUND", "r")
    ledger.say("t1", "secret")
    await anna.say(type="ping")
    await anna.hear("pong")


async def test_a_removed_member_hears_that_and_nothing_later(gateway: RunningGateway, ledger: Ledger) -> None:
    ledger.thread("t1", "anna", "bob")
    anna, bob = await gateway.login("anna", threadId="t1"), await gateway.login("bob", threadId="t1")
    for client in (anna, bob):
        await client.hear("subscribed")
    ledger.say("t1", "one")
    ledger.remove("t1", "bob")
    ledger.say("t1", "two")
    assert [(await anna.hear())["type"] for _ in range(3)] == ["message", "member_removed", "message"]
    assert [(await bob.hear())["type"] for _ in range(2)] == ["message", "member_removed"]
    await bob.say(type="typing", threadId="t1")
    await bob.say(type="ping")
    await bob.hear("pong")


async def test_a_member_whose_removal_was_lost_hears_nothing_after_the_check_behind_the_gap(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    ledger.thread("t1", "anna", "bob")
    anna, bob = await gateway.login("anna", threadId="t1"), await gateway.login("bob", threadId="t1")
    tablet = await gateway.login("bob", threadId="t1")
    for client in (anna, bob, tablet):
        await client.hear("subscribed")
    ledger.membership_failures = 2
    ledger.announce = False
    ledger.remove("t1", "bob")
    ledger.announce = True
    ledger.say("t1", "shows the gap")
    for client in (anna, bob, tablet):
        assert (await client.hear("resync"))["threadId"] == "t1"
        assert (await client.hear("message"))["rev"] == 2
    for client in (bob, tablet):
        error = await client.hear("error")
        assert (error["code"], error["threadId"], error["retryable"]) == ("NOT_A_MEMBER", "t1", False)
    await until(lambda: ledger.membership_asks.count("anna") >= 1, WAIT_S, "anna was asked about too")
    ledger.say("t1", "secret")
    await anna.say(type="typing", threadId="t1")
    assert (await anna.hear("message"))["rev"] == 3
    for client in (bob, tablet):
        await client.say(type="ping")
        await client.hear("pong")
    assert len(ledger.membership_asks) == 4  # two users, two failures; one question for both of bob's devices
    assert gateway.parts.counts.expelled == 2


async def test_a_hole_in_the_events_is_said(gateway: RunningGateway, ledger: Ledger) -> None:
    ledger.thread("t1", "anna")
    anna = await gateway.login("anna", threadId="t1")
    await anna.hear("subscribed")
    ledger.announce = False
    ledger.say("t1", "lost")
    ledger.announce = True
    ledger.say("t1", "seen")
    assert await anna.hear("resync") == {"type": "resync", "threadId": "t1", "reason": "gap"}
    assert (await anna.hear("message"))["rev"] == 2


async def test_after_a_lost_link_followers_are_told_to_resync_and_hear_again(
    gateway: RunningGateway, ledger: Ledger, nats_server: NatsServer
) -> None:
    ledger.thread("t1", "anna")
    anna = await gateway.login("anna", threadId="t1")
    await anna.hear("subscribed")
    nats_server.kill()
    await anna.say(type="message", threadId="t1", content="x", clientMessageId="m1")
    error = await anna.hear("error")
    assert error["code"] in ("QUEUE_UNAVAILABLE", "TIMEOUT")
    assert error["retryable"]
    await anna.say(type="subscribe", threadId="t2", ref="r")
    assert (await anna.hear("error"))["ref"] == "r"
    nats_server.start()
    assert (await anna.hear("resync"))["reason"] == "link_lost"
    await until(lambda: ledger.link.is_connected, WAIT_S, "the ledger is back")
    await ledger.link.flush(WAIT_S)
    ledger.say("t1", "again")
    assert (await anna.hear("message"))["rev"] == 1


async def test_a_member_who_was_removed_while_the_link_was_lost_is_let_go(
    gateway: RunningGateway, ledger: Ledger, nats_server: NatsServer
) -> None:
    ledger.thread("t1", "anna", "bob")
    anna, bob = await gateway.login("anna", threadId="t1"), await gateway.login("bob", threadId="t1")
    for client in (anna, bob):
        await client.hear("subscribed")
    nats_server.kill()
    ledger.announce = False
    ledger.remove("t1", "bob")
    ledger.announce = True
    nats_server.start()
    for client in (anna, bob):
        assert (await client.hear("resync"))["reason"] == "link_lost"
    assert (await bob.hear("error"))["code"] == "NOT_A_MEMBER"
    await until(lambda: ledger.link.is_connected, WAIT_S, "the ledger is back")
    ledger.say("t1", "secret")
    assert (await anna.hear("message"))["rev"] == 2
    await bob.say(type="ping")
    await bob.hear("pong")


async def test_unsubscribing_ends_the_events_and_is_answered_behind_the_subscribe(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    ledger.thread("t1", "anna")
    anna = await gateway.login("anna", threadId="t1")
    await anna.hear("subscribed")
    await anna.say(type="subscribe", threadId="t1", ref="a")
    await anna.say(type="unsubscribe", threadId="t1", ref="b")
    await anna.say(type="unsubscribe", threadId="never", ref="c")
    answers: list[dict[str, Any]] = [await anna.hear() for _ in range(3)]
    assert {answer["type"] for answer in answers} == {"subscribed", "unsubscribed"}
    ledger.say("t1", "unheard")
    await anna.say(type="ping")


async def test_typing_reaches_others_once_in_a_while_and_never_its_own_user(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    ledger.thread("t1", "anna", "bob")
    anna, tablet = await gateway.login("anna", threadId="t1"), await gateway.login("anna", threadId="t1")
    bob = await gateway.login("bob", threadId="t1")
    for client in (anna, tablet, bob):
        await client.hear("subscribed")
    for _ in range(5):
        await anna.say(type="typing", threadId="t1")
    await anna.say(type="typing", threadId="t1", isTyping=False)
    assert [(await bob.hear("typing"))["isTyping"] for _ in range(2)] == [True, False]
    ledger.say("t1", "x")
    for client in (anna, tablet, bob):
        await client.hear("message")
    assert len(ledger.commands) == 3  # of development mode: typing is no command


async def test_receipts_are_gathered(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway(gateway_receipts_interval_s=0.1)
    ledger.thread("t1", "anna", "bob")
    bob = await gateway.login("bob", threadId="t1")
    await bob.hear("subscribed")
    anna = await gateway.login("anna", threadId="t1")
    for seq in range(1, 21):
        await anna.say(type="read_receipt", threadId="t1", seq=seq)
    seen = []
    async with asyncio.timeout(WAIT_S):
        while 20 not in seen:
            seen.append((await bob.hear("read_receipt"))["seq"])
    assert len(seen) < 5

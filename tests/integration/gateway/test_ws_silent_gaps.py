"""Events that got lost with nothing behind them, found by asking the store (G6)."""

from __future__ import annotations

import asyncio

from tests.integration.gateway.conftest import WAIT_S, Start
from tests.integration.gateway.ledger import Ledger
from tests.kit.waiting import until

EVERY_S = 0.3
CONFIRM_S = 2.0


async def test_an_event_swallowed_without_another_behind_it_is_found_and_told(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway(gateway_position_check_s=EVERY_S)
    ledger.thread("t1", "anna")
    ledger.thread("t2", "anna")
    anna = await gateway.login("anna", threadId="t1")
    await anna.hear("subscribed")
    await anna.say(type="subscribe", threadId="t2")
    await anna.hear("subscribed")
    ledger.say("t1", "heard")
    assert (await anna.hear("message"))["rev"] == 1
    ledger.announce = False
    ledger.say("t1", "swallowed")
    resync = await anna.hear("resync")
    assert (resync["threadId"], resync["reason"]) == ("t1", "gap")
    assert gateway.parts.counts.gaps_found == 1
    ledger.announce = True
    ledger.say("t1", "heard again")
    assert (await anna.hear("message"))["rev"] == 3, "and nothing more about it"
    await until(lambda: ledger.membership_asks == ["anna"], WAIT_S, "a removal may be among what was lost")


async def test_a_busy_thread_alarms_nobody_and_a_left_one_is_not_asked_about(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway(gateway_position_check_s=0.05)
    ledger.thread("busy", "anna")
    ledger.thread("left", "anna")
    anna = await gateway.login("anna", threadId="busy")
    await anna.hear("subscribed")
    await anna.say(type="subscribe", threadId="left")
    await anna.hear("subscribed")
    await until(lambda: "left" in ledger.revs_asked, WAIT_S, "both are asked about")
    await anna.say(type="unsubscribe", threadId="left")
    await anna.hear("unsubscribed")
    await until(lambda: not gateway.parts.follower.live_feeds().keys() - {"busy"}, WAIT_S, "it is left")
    asked = ledger.revs_asked.count("busy")
    await until(lambda: ledger.revs_asked.count("busy") > asked + 1, WAIT_S, "a question begun before is answered")
    ledger.revs_asked.clear()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + CONFIRM_S + 1
    rev = 0
    while loop.time() < end_s:
        for _ in range(20):
            ledger.say("busy", "x")
        for _ in range(20):
            rev += 1
            assert (await anna.hear("message"))["rev"] == rev
    assert set(ledger.revs_asked) == {"busy"}
    assert gateway.parts.counts.gaps_found == gateway.parts.counts.resyncs == 0

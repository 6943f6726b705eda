"""Asking the store how far threads are, and what follows from its answers."""

from __future__ import annotations

import asyncio
import json

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.limits import REVS_ASKED_MAX
from chatterbus_contracts.queries import AskRevs
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.feed import Feed
from chatterbus_gateway.position_check import PositionCheck
from tests.kit.waiting import until
from tests.unit.gateway.test_feed import event, joined

WAIT_S = 5.0
CONFIRM_S = 0.1


class Rig:
    """A link, a store and a follower in one, and the check over them."""

    def __init__(self, threads: int = 1, every_s: float = 0.2) -> None:
        self.is_connected = True
        self.feeds: dict[ThreadId, Feed] = {}
        for number in range(threads):
            thread_id = ThreadId(f"t{number}")
            self.feeds[thread_id] = Feed(thread_id)
            joined(self.feeds[thread_id], "anna", 1)
        self.revs: dict[ThreadId, int] = {}
        self.asked: list[list[ThreadId]] = []
        self.asking = self.asking_max = 0
        self.refuses = False
        self.missing: list[tuple[ThreadId, int]] = []
        self.counts = Counts()
        self.check = PositionCheck(self, self, self, self.counts, every_s=every_s, confirm_after_s=CONFIRM_S)

    async def ask(self, query_name: str, question: Wire) -> bytes:
        assert query_name == "revs"
        assert isinstance(question, AskRevs)
        self.asked.append(question.thread_ids)
        self.asking += 1
        self.asking_max = max(self.asking_max, self.asking)
        await asyncio.sleep(0)
        self.asking -= 1
        if self.refuses:
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "away")
        return json.dumps(
            {"items": [[thread_id, self.revs.get(thread_id, 1)] for thread_id in question.thread_ids]}
        ).encode()

    def live_feeds(self) -> dict[ThreadId, Feed]:
        return {thread_id: feed for thread_id, feed in self.feeds.items() if feed.is_live}

    def missed(self, feed: Feed, store_rev: int) -> None:
        feed.miss(store_rev)
        self.missing.append((feed.thread_id, store_rev))

    @property
    def only(self) -> Feed:
        return self.feeds[ThreadId("t0")]


async def test_what_does_not_come_in_time_is_missing() -> None:
    rig = Rig()
    rig.revs = {ThreadId("t0"): 2}
    await rig.check.look([ThreadId("t0")])
    assert rig.missing == []
    await until(lambda: bool(rig.missing), WAIT_S, "the gap is found")
    assert (rig.missing, rig.counts.gaps_found) == ([("t0", 2)], 1)
    await rig.check.look([ThreadId("t0")])
    assert not rig.check._confirmations, "what was told is not in doubt any more"


async def test_what_was_only_under_way_is_no_alarm() -> None:
    rig = Rig()
    rig.revs = {ThreadId("t0"): 2}
    await rig.check.look([ThreadId("t0")])
    rig.only.receive([event(2)])
    rig.revs = {ThreadId("t0"): 3}  # and more is under way when it is confirmed
    await until(lambda: not rig.check._confirmations, WAIT_S, "it was confirmed")
    assert rig.missing == []


async def test_threads_are_asked_about_by_the_page_spread_over_the_interval_one_question_at_a_time() -> None:
    rig = Rig(threads=2 * REVS_ASKED_MAX + 7, every_s=0.6)
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(rig.check.run())
    await until(lambda: len(rig.asked) == 1, WAIT_S, "the first page was asked about")
    begun_s = loop.time()
    await until(lambda: len(rig.asked) == 4, WAIT_S, "all pages were asked about, and the first one again")
    running.cancel()
    assert 0.5 <= loop.time() - begun_s < WAIT_S
    assert [len(page) for page in rig.asked] == [REVS_ASKED_MAX, REVS_ASKED_MAX, 7, REVS_ASKED_MAX]
    assert rig.asking_max == 1


async def test_nothing_is_asked_while_the_link_is_down_or_of_threads_without_followers() -> None:
    rig = Rig(every_s=0.02)
    rig.is_connected = False
    running = asyncio.create_task(rig.check.run())
    await asyncio.sleep(0.1)  # five rounds
    assert rig.asked == []
    rig.is_connected = True
    await until(lambda: bool(rig.asked), WAIT_S, "it asks again")
    for recipient in rig.only.recipients:
        rig.only.leave(recipient)
    rig.asked.clear()
    await asyncio.sleep(0.1)
    running.cancel()
    assert len(rig.asked) <= 1


async def test_a_store_that_is_away_or_a_link_that_is_lost_meanwhile_alarms_nobody() -> None:
    rig = Rig()
    rig.revs = {ThreadId("t0"): 2}
    rig.refuses = True
    await rig.check.look([ThreadId("t0")])
    rig.refuses = False
    await rig.check.look([ThreadId("t0")])
    rig.is_connected = False
    await until(lambda: not rig.check._confirmations, WAIT_S, "the time is over")
    assert rig.missing == []
    rig.check.close()

"""Asking the store about members, and what follows from its answers."""

from __future__ import annotations

import asyncio

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskMembership
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.feed import Feed
from chatterbus_gateway.membership_check import ASKED_AT_A_TIME, MembershipCheck
from tests.kit.waiting import until
from tests.unit.gateway.test_feed import joined

WAIT_S = 5.0


class Store:
    """Answers once `answers` is set; refuses those in `refusals`, the first `failures` questions as unavailable."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.refusals: dict[str, ErrorCode] = {}
        self.failures = 0
        self.asked: list[str] = []
        self.asking = 0
        self.asking_max = 0

    async def ask(self, query_name: str, question: Wire) -> bytes:
        assert query_name == "membership"
        assert isinstance(question, AskMembership)
        self.asked.append(question.user_id)
        self.asking += 1
        self.asking_max = max(self.asking_max, self.asking)
        try:
            await self.answers.wait()
        finally:
            self.asking -= 1
        if self.failures:
            self.failures -= 1
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "away")
        if question.user_id in self.refusals:
            raise Refusal(self.refusals[question.user_id], "no")
        return b"{}"


async def test_those_who_are_refused_are_told_and_let_go_and_the_others_stay() -> None:
    store, counts, emptied = Store(), Counts(), list[ThreadId]()
    store.answers.set()
    store.failures = 3
    store.refusals = {"bob": ErrorCode.NOT_A_MEMBER, "carl": ErrorCode.THREAD_NOT_FOUND}
    feed, check = Feed(ThreadId("t")), MembershipCheck(store, counts, emptied.append)
    anna, bob, carl = joined(feed, "anna", 1), joined(feed, "bob", 1), joined(feed, "carl", 1)
    check.doubt(feed)
    await until(lambda: not len(check), WAIT_S, "the check is through")
    assert (anna.got, anna.left) == (["state1"], [])
    for gone in (bob, carl):
        assert (gone.got, gone.left) == (["state1", "error"], ["t"])
    assert (feed.recipients, emptied, counts.expelled) == ([anna], ["t", "t"], 2)
    assert len(store.asked) == 6
    await check.close()


async def test_few_questions_are_asked_at_a_time_over_all_threads() -> None:
    store = Store()
    check = MembershipCheck(store, Counts(), lambda _thread: None)
    for number in range(20):
        feed = Feed(ThreadId(f"t{number}"))
        joined(feed, "anna", 1)
        joined(feed, "bob", 1)
        check.doubt(feed)
    await until(lambda: store.asking == ASKED_AT_A_TIME, WAIT_S, "questions are on their way")
    store.answers.set()
    await until(lambda: not len(check), WAIT_S, "the checks are through")
    assert (store.asking_max, len(store.asked)) == (ASKED_AT_A_TIME, 40)
    await check.close()


async def test_closing_ends_a_check_that_waits() -> None:
    store = Store()
    feed, check = Feed(ThreadId("t")), MembershipCheck(store, Counts(), lambda _thread: None)
    joined(feed, "anna", 1)
    check.doubt(feed)
    await until(lambda: store.asking == 1, WAIT_S, "the question is on its way")
    await check.close()
    assert store.asking == 0

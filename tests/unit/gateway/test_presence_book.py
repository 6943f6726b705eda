"""What is known of others, and what their watchers are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.subjects import presence_subject
from chatterbus_gateway.presence import presence_book
from chatterbus_gateway.presence.presence_book import PresenceBook
from chatterbus_gateway.presence.watch_requests import WatchRequest, WatchRequests
from tests.kit.waiting import until
from tests.unit.gateway.presence_fakes import Connected, FakeLink, FakeNotifier, FollowedBy, SharingStore

WAIT_S = 5.0
T1, T2 = ThreadId("t1"), ThreadId("t2")


class Stand:
    """A book with fakes around it, at work."""

    def __init__(self) -> None:
        self.link = FakeLink()
        self.notifier = FakeNotifier()
        self.store = SharingStore()
        self.book = PresenceBook(self.link, self.notifier, linger_s=0.02)
        self.refused: list[Refusal] = []
        self.requests = self.asking(platform=False)

    def asking(self, *, platform: bool, recheck_s: float = 30) -> WatchRequests:
        return WatchRequests(self.store, self.book, platform=platform, recheck_s=recheck_s)

    def follow(self, thread: ThreadId, rev: int, members: list[str], *live: Connected) -> FollowedBy:
        """The last of `live` joins behind the others."""
        feed = FollowedBy(*live[:-1])
        if not self.book.watches.knows(thread):
            self.book.opened(thread, feed)
        self.book.read(thread, rev, [UserId(member) for member in members])
        feed.live = live
        self.book.joined(live[-1], thread)
        return feed

    def watch(self, watcher: Connected, *users: str) -> None:
        self.requests.watch(watcher, WatchRequest(map(UserId, users), self.refused.append))

    def listens(self, user: str) -> bool:
        return presence_subject(UserId(user)) in self.link.listening


@pytest.fixture
async def stand(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    monkeypatch.setattr(presence_book, "BACKOFF_S", (0.01, 0.02))
    monkeypatch.setattr(presence_book, "GATHER_S", 0.005)
    stand = Stand()
    running = asyncio.create_task(stand.book.run())
    yield stand
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await stand.requests.close()
    stand.book.close()
    assert not stand.link.listening


async def told(connection: Connected, count: int = 1) -> list[tuple[str, str, int]]:
    await until(lambda: len(connection.got) >= count, WAIT_S, f"{connection.user_id} is told of {count}")
    return sorted(connection.take())


async def test_a_follower_is_told_of_each_other_member_and_then_of_changes(stand: Stand) -> None:
    anna = Connected("anna")
    stand.notifier.states = {"bob": ("online", 7)}
    stand.follow(T1, 1, ["anna", "bob", "carl"], anna)
    assert await told(anna, 2) == [("bob", "online", 7), ("carl", "offline", 0)]
    stand.link.change("bob", "away", 8)
    stand.link.change("carl", "online", 9)
    assert anna.take() == [("bob", "away", 8), ("carl", "online", 9)]
    assert not stand.listens("anna")
    assert set(anna.keys) == {"presence/bob", "presence/carl"}


async def test_the_next_follower_is_told_at_once_from_what_is_known(stand: Stand) -> None:
    anna, bob = Connected("anna"), Connected("bob")
    feed = stand.follow(T1, 1, ["anna", "bob", "carl"], anna)
    await told(anna, 2)
    feed.live = [anna, bob]
    stand.book.joined(bob, T1)
    assert bob.take() == [("carl", "offline", 0)]
    assert await told(bob) == [("anna", "offline", 0)]
    assert anna.take() == []
    assert sorted(user for asked in stand.notifier.asked for user in asked) == ["anna", "bob", "carl"]


async def test_of_two_states_the_older_is_dropped_whichever_comes_first(stand: Stand) -> None:
    anna = Connected("anna")
    stand.notifier.states = {"bob": ("away", 5)}
    stand.follow(T1, 1, ["anna", "bob"], anna)
    stand.link.change("bob", "online", 6)  # before the answer to the question
    assert await told(anna) == [("bob", "online", 6)]
    await until(lambda: bool(stand.notifier.asked), WAIT_S, "it was asked")
    stand.link.change("bob", "offline", 4)
    stand.link.change("bob", "offline", 6)
    stand.book.ask_all_again()
    await until(lambda: len(stand.notifier.asked) == 2, WAIT_S, "it was asked again")
    stand.link.change("bob", "offline", 7)
    assert await told(anna) == [("bob", "offline", 7)]


async def test_a_lost_change_heals_when_all_are_asked_again(stand: Stand) -> None:
    anna = Connected("anna")
    stand.follow(T1, 1, ["anna", "bob"], anna)
    await told(anna)
    stand.notifier.states["bob"] = ("online", 9)
    stand.book.ask_all_again()
    assert await told(anna) == [("bob", "online", 9)]


async def test_what_is_not_answered_is_asked_again_until_it_is(stand: Stand) -> None:
    anna = Connected("anna")
    stand.notifier.away = True
    stand.follow(T1, 1, ["anna", "bob"], anna)
    await until(lambda: len(stand.notifier.asked) >= 3, WAIT_S, "it was asked again")
    assert anna.take() == []
    stand.notifier.away = False
    assert await told(anna) == [("bob", "offline", 0)]


async def test_questions_are_gathered_and_bounded(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_book, "PRESENCE_ASKED_MAX", 20)
    anna = Connected("anna")
    for number in range(15):
        thread = ThreadId(f"t{number}")
        stand.follow(thread, 1, ["anna", *[f"u{number}-{each}" for each in range(7)]], anna)
    assert len(await told(anna, 105)) == 105
    assert sum(map(len, stand.notifier.asked)) == 105
    assert [len(asked) for asked in stand.notifier.asked][:2] == [20, 20]


async def test_members_who_join_and_leave_begin_and_cease_to_be_told_of(stand: Stand) -> None:
    anna = Connected("anna")
    stand.follow(T1, 1, ["anna", "bob"], anna)
    await told(anna)
    stand.book.moved(T1, [_member_event("member_added", 2, "carl"), _member_event("member_removed", 3, "bob")])
    assert await told(anna) == [("carl", "offline", 0)]
    stand.link.change("bob", "online", 9)
    stand.link.change("carl", "online", 9)
    assert anna.take() == [("carl", "online", 9)]
    await until(lambda: not stand.listens("bob"), WAIT_S, "bob is not listened to any more")


async def test_a_member_who_joins_and_is_known_already_is_told_of_at_once(stand: Stand) -> None:
    anna, dora = Connected("anna"), Connected("dora")
    stand.follow(T1, 1, ["anna", "bob"], anna)
    stand.follow(T2, 1, ["dora"], dora)
    await told(anna)
    stand.book.moved(T2, [_member_event("member_added", 2, "bob")])
    assert dora.take() == [("bob", "offline", 0)]


async def test_nobody_is_listened_to_when_the_threads_are_closed_and_the_watchers_gone(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "dora")}
    stand.follow(T1, 1, ["anna", "bob", "carl"], anna)
    stand.watch(anna, "dora", "anna", "zoe")
    await told(anna, 5)
    stand.book.closed(T1)
    stand.requests.forget(anna)
    await until(lambda: not len(stand.book), WAIT_S, "nobody is listened to")
    assert not stand.link.listening
    assert not stand.book.watches


async def test_a_thread_that_is_followed_again_in_time_goes_on_being_listened_to(stand: Stand) -> None:
    anna = Connected("anna")
    stand.follow(T1, 1, ["anna", "bob"], anna)
    await told(anna)
    listener = stand.link.listening[presence_subject(UserId("bob"))]
    stand.book.closed(T1)
    stand.follow(T1, 1, ["anna", "bob"], anna)
    assert anna.take() == [("bob", "offline", 0)]
    stand.follow(T2, 1, ["anna", "carl"], anna)
    await told(anna)
    assert stand.link.listening[presence_subject(UserId("bob"))] is listener


# --- presence_watch --------------------------------------------------------------------------------------------------


async def test_those_who_share_a_thread_are_told_of_and_others_look_unseen_for_ever(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "bob")}
    stand.notifier.states = {"bob": ("online", 3), "eve": ("online", 4)}
    stand.watch(anna, "bob", "eve", "nobody", "bob")
    assert await told(anna, 3) == [("bob", "online", 3), ("eve", "offline", 0), ("nobody", "offline", 0)]
    assert not stand.listens("eve")
    assert all("eve" not in asked for asked in stand.notifier.asked)
    stand.link.change("eve", "away", 9)
    stand.link.change("bob", "away", 9)
    assert anna.take() == [("bob", "away", 9)]


async def test_the_next_watch_takes_the_place_of_the_last(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "bob"), ("anna", "carl")}
    stand.watch(anna, "bob")
    await told(anna)
    stand.watch(anna, "carl")
    assert await told(anna) == [("carl", "offline", 0)]
    stand.link.change("bob", "online", 5)
    assert anna.take() == []
    stand.watch(anna)
    await until(lambda: not len(stand.book), WAIT_S, "nobody is watched")


async def test_of_requests_that_wait_only_the_last_is_worked_off(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.open.clear()
    for user in ("bob", "carl", "dora"):
        stand.watch(anna, user)
        await until(lambda: len(stand.store.asked) == 1, WAIT_S, "the first is asked about")
    stand.store.open.set()
    assert await told(anna, 2) == [("bob", "offline", 0), ("dora", "offline", 0)]
    assert [others for _, others in stand.store.asked] == [["bob"], ["dora"]]


async def test_oneself_is_answered_once_as_others_see_one_and_never_told_of(stand: Stand) -> None:
    anna = Connected("anna")
    stand.notifier.states = {"anna": ("offline", 5)}  # invisible
    stand.watch(anna, "anna")
    assert await told(anna) == [("anna", "offline", 5)]
    assert stand.store.asked == []
    stand.link.change("anna", "online", 6)
    assert anna.take() == []
    await until(lambda: not stand.listens("anna"), WAIT_S, "anna is not listened to any more")


async def test_a_watch_that_cannot_be_checked_is_refused_and_the_last_one_stays(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "bob")}
    stand.watch(anna, "bob")
    await told(anna)
    stand.store.refuses = Refusal(ErrorCode.STORE_UNAVAILABLE, "away")
    stand.watch(anna, "carl")
    await until(lambda: bool(stand.refused), WAIT_S, "it is refused")
    stand.link.change("bob", "online", 5)
    assert anna.take() == [("bob", "online", 5)]


async def test_who_leaves_while_a_watch_is_checked_leaves_nothing(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "bob")}
    stand.store.open.clear()
    stand.watch(anna, "bob")
    await until(lambda: bool(stand.store.asked), WAIT_S, "it is asked about")
    stand.requests.forget(anna)
    stand.store.open.set()
    stand.requests.forget(anna)
    await asyncio.gather(*stand.requests._tasks)
    assert not stand.book.watches
    assert anna.got == []


async def test_who_may_not_be_watched_any_more_is_said_goodbye_to_and_silent(stand: Stand) -> None:
    anna = Connected("anna")
    stand.store.shares = {("anna", "bob"), ("anna", "carl")}
    stand.notifier.states = {"bob": ("online", 3)}
    stand.requests = stand.asking(platform=False, recheck_s=0.01)
    stand.watch(anna, "bob", "carl")
    await told(anna, 2)
    checks = asyncio.create_task(stand.requests.run())
    await until(lambda: len(stand.store.asked) >= 3, WAIT_S, "it is checked again")
    assert anna.take() == []
    stand.store.shares = {("anna", "carl")}
    assert await told(anna) == [("bob", "offline", 4)]
    stand.link.change("bob", "away", 9)
    stand.link.change("carl", "away", 9)
    assert anna.take() == [("carl", "away", 9)]
    stand.store.refuses = Refusal(ErrorCode.STORE_UNAVAILABLE, "away")
    seen = len(stand.store.asked)
    await until(lambda: len(stand.store.asked) > seen + 1, WAIT_S, "it is checked while the store is away")
    stand.link.change("carl", "online", 10)
    assert anna.take() == [("carl", "online", 10)]
    checks.cancel()


async def test_with_platform_visibility_nobody_is_asked_about_and_everybody_is_told_of(stand: Stand) -> None:
    anna = Connected("anna")
    stand.requests = stand.asking(platform=True)
    stand.notifier.states = {"eve": ("online", 4)}
    stand.watch(anna, "eve")
    assert await told(anna) == [("eve", "online", 4)]
    assert stand.store.asked == []


def _member_event(kind: str, rev: int, user: str) -> Event:
    return Event(kind, rev, json.dumps({"type": kind, "rev": rev, "data": {"userId": user}}).encode())

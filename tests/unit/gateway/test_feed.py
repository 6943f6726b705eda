"""Who follows a thread, and what reaches them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.feed import HELD_MAX_BYTES, Feed
from chatterbus_gateway.wire_frame import ws_frame


@dataclass(eq=False)
class Listener:
    user_id: UserId
    got: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def push(self, frames: bytes) -> None:
        self.got += [_label(json.loads(payload)) for payload in unpack(frames)]

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        self.push(frame)

    def unfollowed(self, thread_id: ThreadId) -> None:
        self.left.append(thread_id)


def unpack(frames: bytes) -> list[bytes]:
    payloads = []
    while frames:
        size, head = frames[1], 2
        if size == 126:
            size, head = int.from_bytes(frames[2:4], "big"), 4
        payloads.append(frames[head : head + size])
        frames = frames[head + size :]
    return payloads


def _label(frame: dict[str, object]) -> str:
    kind = str(frame["type"])
    return str(frame["rev"]) if kind == "message" else kind if kind != "state" else f"state{frame['rev']}"


def event(rev: int, kind: str = "message", user: str = "") -> Event:
    frame = {"type": kind, "rev": rev, "data": {"userId": user}}
    return Event(kind, rev, json.dumps(frame).encode())


def state(rev: int) -> bytes:
    return ws_frame(json.dumps({"type": "state", "rev": rev}).encode())


def joined(feed: Feed, name: str, rev: int) -> Listener:
    listener = Listener(UserId(name))
    feed.begin_join(listener)
    feed.complete_join(listener, rev, state(rev))
    return listener


def test_events_of_an_envelope_reach_followers_in_order_and_once() -> None:
    feed = Feed(ThreadId("t"))
    anna = joined(feed, "anna", 4)
    feed.receive([event(5), event(6)])
    feed.receive([event(5), event(6), event(7)])
    assert anna.got == ["state4", "5", "6", "7"]


def test_events_during_a_join_come_behind_the_state_and_only_beyond_it() -> None:
    feed = Feed(ThreadId("t"))
    anna = Listener(UserId("anna"))
    feed.begin_join(anna)
    feed.receive([event(3)])
    feed.receive([event(4), event(5)])
    assert anna.got == []
    feed.complete_join(anna, 4, state(4))
    feed.receive([event(6)])
    assert anna.got == ["state4", "5", "6"]


def test_who_joins_ahead_of_the_events_does_not_get_them_twice() -> None:
    feed = Feed(ThreadId("t"))
    early = joined(feed, "anna", 1)
    late = joined(feed, "bob", 3)  # the store was faster than the events 2 and 3
    feed.receive([event(2)])
    feed.receive([event(3)])
    feed.receive([event(4)])
    assert early.got == ["state1", "2", "3", "4"]
    assert late.got == ["state3", "4"]


def test_a_hole_is_said_before_the_event_behind_it() -> None:
    feed = Feed(ThreadId("t"))
    anna = joined(feed, "anna", 1)
    feed.receive([event(3)])
    assert anna.got == ["state1", "resync", "3"]
    assert feed.resyncs == 1


def test_after_a_lost_place_the_next_event_is_taken_as_it_comes() -> None:
    feed = Feed(ThreadId("t"))
    anna = joined(feed, "anna", 1)
    feed.lose_place()
    feed.receive([event(9)])
    feed.receive([event(10)])
    assert anna.got == ["state1", "9", "10"]


def test_a_removed_member_gets_the_frame_that_says_so_and_nothing_after() -> None:
    feed = Feed(ThreadId("t"))
    anna, bob = joined(feed, "anna", 1), joined(feed, "bob", 1)
    feed.receive([event(2), event(3, "member_removed", "bob"), event(4)])
    assert bob.got == ["state1", "2", "member_removed"]
    assert bob.left == ["t"]
    assert anna.got == ["state1", "2", "member_removed", "4"]


def test_an_expelled_user_gets_the_notice_on_every_connection_and_nothing_after() -> None:
    feed = Feed(ThreadId("t"))
    anna, bob, ahead = joined(feed, "anna", 1), joined(feed, "bob", 1), joined(feed, "bob", 3)
    joining = Listener(UserId("bob"))
    feed.begin_join(joining)
    assert feed.expel(UserId("bob"), ws_frame(b'{"type":"error"}')) == 2
    feed.receive([event(2), event(3), event(4)])
    assert anna.got == ["state1", "2", "3", "4"]
    assert (bob.got, ahead.got) == (["state1", "error"], ["state3", "error"])
    assert (bob.left, ahead.left, joining.left) == (["t"], ["t"], [])
    feed.complete_join(joining, 4, state(4))  # the store took him for a member after the removal: he is one again
    feed.receive([event(5)])
    assert joining.got == ["state4", "5"]


def test_who_joins_while_the_place_is_lost_is_told_behind_the_state() -> None:
    feed = Feed(ThreadId("t"))
    bob = Listener(UserId("bob"))
    feed.begin_join(bob)
    feed.lose_place()
    feed.complete_join(bob, 4, state(4))
    assert (bob.got, feed.resyncs) == (["state4", "resync"], 1)


def test_a_member_removed_while_joining_does_not_get_live() -> None:
    feed = Feed(ThreadId("t"))
    bob = Listener(UserId("bob"))
    feed.begin_join(bob)
    feed.receive([event(2, "member_removed", "bob"), event(3)])
    feed.complete_join(bob, 1, state(1))
    feed.receive([event(4)])
    assert bob.got == ["state1", "member_removed"]
    assert bob.left == ["t"]
    assert not feed


def test_too_much_during_a_join_is_not_kept_and_said() -> None:
    feed = Feed(ThreadId("t"))
    anna = Listener(UserId("anna"))
    feed.begin_join(anna)
    big = json.dumps({"type": "message", "rev": 2, "data": "x" * 60_000}).encode()
    for rev in range(2, 2 + HELD_MAX_BYTES // len(big) + 1):
        feed.receive([Event("message", rev, big)])
    feed.complete_join(anna, 1, state(1))
    assert anna.got == ["state1", "resync"]


def test_a_member_removed_during_a_join_that_overflowed_is_told_so_and_does_not_get_live() -> None:
    feed = Feed(ThreadId("t"))
    anna, bob = Listener(UserId("anna")), Listener(UserId("bob"))
    for listener in (anna, bob):
        feed.begin_join(listener)
    feed.receive([event(2, "member_removed", "bob")])
    big = json.dumps({"type": "message", "rev": 3, "data": "x" * 60_000}).encode()
    last = 3 + HELD_MAX_BYTES // len(big)
    for rev in range(3, last + 1):
        feed.receive([Event("message", rev, big)])
    for listener in (anna, bob):
        feed.complete_join(listener, 1, state(1))
    feed.receive([event(last + 1)])
    assert bob.got == ["state1", "resync", "member_removed"]
    assert bob.left == ["t"]
    assert anna.got[:2] == ["state1", "resync"]
    assert anna.left == []


def test_typing_does_not_come_back_to_its_own_user() -> None:
    feed = Feed(ThreadId("t"))
    anna, tablet, bob = joined(feed, "anna", 1), joined(feed, "anna", 1), joined(feed, "bob", 1)
    feed.receive_typing(b'{"type":"typing","userId":"anna"}')
    feed.receive_typing(b"nonsense")
    assert (anna.got[1:], tablet.got[1:], bob.got[1:]) == ([], [], ["typing"])


@settings(max_examples=300)
@given(st.data())
def test_any_interleaving_of_joins_and_events_gives_each_follower_every_rev_once_in_order(data: st.DataObject) -> None:
    """P8, the gateway's part: commits run ahead of events; joins read the store at any moment in between."""
    feed = Feed(ThreadId("t"))
    committed = announced = 0
    joining: list[tuple[Listener, int | None]] = []
    listeners: list[tuple[Listener, int]] = []
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["commit", "announce", "repeat", "begin", "read", "complete"]))
        if step == "commit":
            committed += data.draw(st.integers(1, 3))
        elif step == "announce" and announced < committed:
            upto = data.draw(st.integers(announced + 1, committed))
            feed.receive([event(rev) for rev in range(announced + 1, upto + 1)])
            announced = upto
        elif step == "repeat" and announced:
            feed.receive([event(rev) for rev in range(data.draw(st.integers(1, announced)), announced + 1)])
        elif step == "begin":
            listener = Listener(UserId(f"u{len(listeners) + len(joining)}"))
            feed.begin_join(listener)
            joining.append((listener, None))
        elif step == "read" and joining:
            joining[0] = (joining[0][0], joining[0][1] if joining[0][1] is not None else committed)
        elif step == "complete" and joining and joining[0][1] is not None:
            listener, rev = joining.pop(0)
            assert rev is not None
            feed.complete_join(listener, rev, state(rev))
            listeners.append((listener, rev))
    if announced < committed:
        feed.receive([event(rev) for rev in range(announced + 1, committed + 1)])
    for listener, rev in listeners:
        assert listener.got == [f"state{rev}", *map(str, range(rev + 1, committed + 1))]


def test_new_events_of_members_are_kept_for_the_caller_also_when_nobody_follows() -> None:
    feed = Feed(ThreadId("t"))
    feed.receive([event(3, "member_added", "bob"), event(4), event(5, "member_removed", "bob")])
    feed.receive([event(5, "member_removed", "bob")])
    assert [(each.rev, each.type) for each in feed.membership] == [(3, "member_added"), (5, "member_removed")]


def test_who_joins_is_not_live_before_the_join_is_complete_and_not_after_a_removal() -> None:
    feed = Feed(ThreadId("t"))
    anna = Listener(UserId("anna"))
    feed.begin_join(anna)
    assert list(feed.live) == []
    feed.complete_join(anna, 3, state(3))
    assert list(feed.live) == [anna]
    feed.receive([event(4, "member_removed", "anna")])
    assert list(feed.live) == []


def test_a_thread_that_the_store_is_ahead_of_is_told_once_and_goes_on_behind_it() -> None:
    feed = Feed(ThreadId("t"))
    anna, late = joined(feed, "anna", 4), joined(feed, "late", 6)
    assert not feed.lags(4)
    assert feed.lags(6)
    feed.miss(6)
    feed.miss(6)
    feed.receive([event(5), event(6), event(7)])
    assert anna.got == ["state4", "resync", "7"]
    assert late.got == ["state6", "7"]
    assert feed.resyncs == 1


def test_without_a_position_of_its_own_a_feed_lags_when_the_store_moves_between_two_looks() -> None:
    feed = Feed(ThreadId("t"))
    anna = joined(feed, "anna", 4)
    feed.lose_place()
    assert not feed.lags(9)
    assert not feed.lags(9)
    assert feed.lags(10)
    feed.miss(10)
    feed.receive([event(11)])
    assert anna.got == ["state4", "resync", "11"]


def test_a_hole_found_while_somebody_joins_is_told_to_them_too() -> None:
    feed = Feed(ThreadId("t"))
    joined(feed, "anna", 4)
    bob = Listener(UserId("bob"))
    feed.begin_join(bob)
    feed.miss(6)
    feed.complete_join(bob, 5, state(5))
    feed.receive([event(7)])
    assert bob.got == ["state5", "resync", "7"]


def test_who_joins_with_a_state_older_than_the_feed_is_told_so() -> None:
    feed = Feed(ThreadId("t"))
    joined(feed, "anna", 4)
    feed.receive([event(5), event(6)])
    bob = joined(feed, "bob", 5)  # read from a copy of the store that lags
    feed.receive([event(7)])
    assert bob.got == ["state5", "resync", "7"]

"""Receipts, typing and the indexes of connections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.hub import Hub
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.receipts import Cursor, Receipts
from chatterbus_gateway.typing_throttle import TypingThrottle

SEQS = st.none() | st.integers(1, 9)
CURSORS = st.builds(
    Cursor, st.sampled_from("ab").map(UserId), st.just("user"), st.sampled_from("st").map(ThreadId), SEQS, SEQS
)


@given(st.lists(CURSORS, max_size=20))
def test_gathered_receipts_say_as_much_as_all_of_them(cursors: list[Cursor]) -> None:
    receipts = Receipts()
    assert all(receipts.add(cursor) for cursor in cursors)
    taken = {(cursor.user_id, cursor.thread_id): cursor for cursor in receipts.take()}
    for key, cursor in taken.items():
        same = [given for given in cursors if (given.user_id, given.thread_id) == key]
        assert (cursor.delivered_seq or 0) == max(given.delivered_seq or 0 for given in same)
        assert (cursor.read_seq or 0) == max(given.read_seq or 0 for given in same)
    assert set(taken) == {(cursor.user_id, cursor.thread_id) for cursor in cursors}
    assert len(receipts) == 0


def test_waiting_receipts_are_bounded_and_known_cursors_still_move() -> None:
    receipts = Receipts(cursors_max=1)
    assert receipts.add(Cursor(UserId("a"), "user", ThreadId("t"), None, 1))
    assert not receipts.add(Cursor(UserId("b"), "user", ThreadId("t"), None, 1))
    assert receipts.add(Cursor(UserId("a"), "user", ThreadId("t"), None, 2))
    assert receipts.take()[0].read_seq == 2


def test_typing_passes_once_in_two_seconds_and_its_end_at_once() -> None:
    throttle = TypingThrottle()
    anna, thread = UserId("anna"), ThreadId("t")
    said = [(0.0, True), (0.5, True), (1.0, False), (1.1, False), (1.2, True), (2.0, True)]
    assert [throttle.admits(anna, thread, on, at_s) for at_s, on in said] == [True, False, True, False, False, True]
    assert throttle.admits(UserId("bob"), thread, True, 1.2)
    throttle.admits(UserId("eve"), thread, True, 100.0)
    assert len(throttle) == 1


def test_typing_right_after_a_message_passes_at_once() -> None:
    throttle = TypingThrottle()
    anna, thread = UserId("anna"), ThreadId("t")
    assert throttle.admits(anna, thread, True, 0.0)
    assert not throttle.admits(anna, thread, True, 0.5)
    throttle.message_sent(anna, thread)
    assert throttle.admits(anna, thread, True, 0.6)
    throttle.message_sent(anna, thread)
    throttle.message_sent(anna, thread)
    assert len(throttle) == 0


@given(st.lists(st.tuples(st.sampled_from(["add", "auth", "remove"]), st.integers(0, 9)), max_size=60))
def test_after_all_are_gone_the_indexes_are_empty(steps: list[tuple[str, int]]) -> None:
    hub: Hub[int] = Hub(SocketPolicy(connections_per_user=3))
    users: dict[int, UserId | None] = {}
    for what, number in steps:
        if what == "add" and number not in users:
            hub.add(number, f"address{number % 2}")
            users[number] = None
        elif what == "auth" and number in users:
            user_id = UserId(f"user{number % 3}")
            if len(set(hub.of_user(user_id)) - {number}) < 3:
                hub.authenticate(number, user_id)
                users[number] = user_id
            else:
                with pytest.raises(Refusal):
                    hub.authenticate(number, user_id)
        elif what == "remove" and number in users:
            hub.remove(number, f"address{number % 2}", users.pop(number))
        assert len(hub) == len(users)
    for number, user in users.items():
        hub.remove(number, f"address{number % 2}", user)
        hub.remove(number, f"address{number % 2}", user)
    assert (len(hub), hub.users, hub.addresses) == (0, 0, 0)


@pytest.mark.parametrize(("per_address", "total"), [(2, 10), (10, 2)])
def test_caps_on_addresses_and_on_all_are_kept(per_address: int, total: int) -> None:
    hub: Hub[int] = Hub(SocketPolicy(connections_per_address=per_address, connections_total=total))
    hub.add(1, "a")
    assert hub.has_room("a")
    hub.add(2, "a")
    assert not hub.has_room("a")
    assert hub.has_room("b") == (total == 10)

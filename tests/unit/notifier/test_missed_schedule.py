"""When threads are looked at for missed messages, and what of the stream is open meanwhile."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatterbus_contracts.ids import ThreadId
from chatterbus_notifier.missed.ordered_keys import SPARE, OrderedKeys
from chatterbus_notifier.missed.schedule import PLACES_MAX, Schedule

AFTER_S = 30.0
A, B = ThreadId("a"), ThreadId("b")


def test_a_thread_is_due_after_its_first_open_message_however_many_follow() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 1, 100.0)
    schedule.noted(A, 2, 120.0)
    assert schedule.next_due_s == 130.0
    assert schedule.take(129.9) is None
    assert schedule.take(130.0) == A
    assert schedule.take(1_000.0) is None


def test_what_is_due_first_is_taken_first() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 1, 110.0)
    schedule.noted(B, 2, 100.0)
    assert [schedule.take(200.0), schedule.take(200.0)] == [B, A]


def test_the_lowest_open_place_stays_until_its_thread_is_settled() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 5, 100.0)
    schedule.noted(B, 6, 100.0)
    assert schedule.take(130.0) == A
    assert schedule.lowest == 5
    schedule.settled(A)
    assert schedule.lowest == 6
    assert schedule.take(130.0) == B
    schedule.settled(B)
    assert schedule.lowest is None
    assert len(schedule) == 0


def test_a_message_that_comes_during_the_check_makes_the_thread_due_again() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 5, 100.0)
    assert schedule.take(130.0) == A
    schedule.noted(A, 9, 131.0)
    assert schedule.take(170.0) is None  # not twice at a time
    schedule.settled(A)
    assert schedule.lowest == 9
    assert schedule.take(170.0) == A


def test_a_thread_to_be_checked_again_keeps_its_place_and_comes_with_its_newer_messages() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 5, 100.0)
    assert schedule.take(130.0) == A
    schedule.noted(A, 9, 131.0)
    schedule.again(A, 400.0)
    assert schedule.lowest == 5
    assert schedule.next_due_s == 161.0


def test_a_new_message_is_not_kept_waiting_by_a_late_second_look() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 5, 100.0)
    schedule.take(130.0)
    schedule.again(A, 430.0)
    schedule.noted(A, 9, 131.0)
    assert schedule.next_due_s == 161.0


def test_messages_old_enough_to_be_settled_give_up_their_place_in_a_busy_thread() -> None:
    schedule = Schedule(AFTER_S)
    for seq in range(60):
        schedule.noted(A, seq + 1, 100.0 + seq)
    assert schedule.take(160.0) == A
    schedule.again(A, 165.0, open_since_s=160.0 - AFTER_S + 5.0)
    lowest = schedule.lowest
    assert lowest is not None
    assert 15 < lowest <= 36  # a grain and the slack of clocks below the message of second 135


def test_a_thread_remembers_a_bounded_number_of_places() -> None:
    schedule = Schedule(AFTER_S)
    for seq in range(1_000):
        schedule.noted(A, seq + 1, 100.0 + 10 * seq)
    opened = schedule._waiting[A]
    assert len(opened.places) == PLACES_MAX
    assert schedule.lowest == 1


def test_there_is_no_room_at_the_bound_and_room_again_below() -> None:
    schedule = Schedule(AFTER_S, max_threads=2)
    schedule.noted(A, 1, 100.0)
    assert schedule.has_room
    schedule.noted(B, 2, 100.0)
    assert not schedule.has_room
    schedule.settled(schedule.take(200.0) or A)
    assert schedule.has_room


def test_after_another_stream_no_place_is_beyond_it() -> None:
    schedule = Schedule(AFTER_S)
    schedule.noted(A, 500, 100.0)
    schedule.noted(B, 600, 100.0)
    schedule.take(130.0)
    schedule.stream_changed(next_seq=1)
    assert schedule.lowest == 1


def test_ordered_keys_remember_no_more_than_their_keys() -> None:
    keys: OrderedKeys[str] = OrderedKeys()
    keys.put("held", 0)
    for value in range(10_000):
        keys.put("moving", 1 + value)
    assert keys.lowest() == (0, "held")
    assert len(keys._heap) <= 2 * len(keys) + SPARE + 1


class ScheduleMachine(RuleBasedStateMachine):
    """Against a model that remembers every message by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(AFTER_S)
        self.now_s = 1_000.0
        self.seq = 0
        self.open: dict[ThreadId, dict[int, float]] = {}  # stream sequence -> when it must have been looked at
        self.checked: dict[ThreadId, set[int]] = {}

    threads = st.sampled_from([ThreadId(name) for name in "abcd"])

    @rule(thread_id=threads, age_s=st.floats(0, 60))
    def note(self, thread_id: ThreadId, age_s: float) -> None:
        self.seq += 1
        self.schedule.noted(thread_id, self.seq, self.now_s - age_s)
        self.open.setdefault(thread_id, {})[self.seq] = self.now_s - age_s + AFTER_S

    @rule(step_s=st.floats(0.1, 40))
    def wait(self, step_s: float) -> None:
        self.now_s += step_s

    @rule()
    def take(self) -> None:
        thread_id = self.schedule.take(self.now_s)
        overdue = {
            name
            for name, messages in self.open.items()
            if name not in self.checked and any(due_s <= self.now_s for due_s in messages.values())
        }
        if thread_id is None:
            assert not overdue
            return
        assert thread_id not in self.checked
        assert self.open[thread_id]
        self.checked[thread_id] = set(self.open[thread_id])

    @precondition(lambda self: self.checked)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        thread_id = data.draw(st.sampled_from(sorted(self.checked)))
        for seq in self.checked.pop(thread_id):
            del self.open[thread_id][seq]
        self.schedule.settled(thread_id)

    @precondition(lambda self: self.checked)
    @rule(data=st.data(), later_s=st.floats(0, 300))
    def look_again(self, data: st.DataObject, later_s: float) -> None:
        thread_id = data.draw(st.sampled_from(sorted(self.checked)))
        due_s = self.now_s + later_s
        for seq in self.checked.pop(thread_id):
            self.open[thread_id][seq] = due_s
        self.schedule.again(thread_id, due_s)

    @invariant()
    def the_lowest_place_is_below_every_open_message(self) -> None:
        still_open = [seq for messages in self.open.values() for seq in messages]
        lowest = self.schedule.lowest
        assert (lowest is None) == (not still_open)
        assert lowest is None or lowest <= min(still_open)

    @invariant()
    def nothing_open_is_forgotten(self) -> None:
        waiting_or_checked = len({name for name, messages in self.open.items() if messages})
        assert waiting_or_checked <= len(self.schedule) <= 2 * waiting_or_checked


TestScheduleMachine = ScheduleMachine.TestCase
TestScheduleMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

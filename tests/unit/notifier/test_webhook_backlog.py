"""Order and turns of deliveries, for any receiver."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.webhooks.backlog import Backlog, Waiting
from chatterbus_notifier.webhooks.retry import RetryPolicy

KEYS = ("anna", "ben", "cleo", "dora")
CONCURRENCY = 2
WINDOW = 12
RETRY_FOR_S = 100.0


def event(number: int, key: str) -> HookEvent:
    return HookEvent(f"evt_{number}", "message.missed", key, b"{}")


def backlog(concurrency: int = CONCURRENCY) -> Backlog:
    policy = RetryPolicy(random=lambda: 0.5, retry_for_s=RETRY_FOR_S)
    return Backlog(policy, concurrency=concurrency, window=WINDOW)


class Deliveries(RuleBasedStateMachine):
    """A receiver that answers as it likes, and a clock that moves as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = backlog()
        self.now_s = 0.0
        self.added: dict[str, list[int]] = defaultdict(list)
        self.gone: dict[str, list[int]] = defaultdict(list)
        self.under_way: list[Waiting] = []
        self.due_s: dict[int | None, float] = {}
        self.count = 0

    @precondition(lambda self: self.backlog.has_room)
    @rule(key=st.sampled_from(KEYS))
    def add(self, key: str) -> None:
        self.count += 1
        self.added[key].append(self.count)
        self.backlog.add(Waiting(self.count, event(self.count, key)))

    @rule()
    def take(self) -> None:
        waiting = self.backlog.take(self.now_s)
        if waiting is None:
            return
        key = waiting.event.key
        assert waiting.seq == self.added[key][len(self.gone[key])], "not the oldest of its key"
        assert key not in {other.event.key for other in self.under_way}, "two of a key under way"
        assert self.due_s.get(waiting.seq, 0.0) <= self.now_s, "before its delay was over"
        self.under_way.append(waiting)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self._leave(data.draw(st.sampled_from(self.under_way)))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), asked_s=st.none() | st.floats(0, 50))
    def fail(self, data: st.DataObject, asked_s: float | None) -> None:
        waiting = data.draw(st.sampled_from(self.under_way))
        delay_s = self.backlog.failed(waiting, self.now_s, asked_s)
        assert waiting.first_attempt_s is not None
        assert (delay_s is None) == (self.now_s - waiting.first_attempt_s >= RETRY_FOR_S)
        if delay_s is None:
            self._leave(waiting)
        else:
            self.due_s[waiting.seq] = self.now_s + delay_s
            self.under_way.remove(waiting)

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        for key in KEYS:
            left = [one.seq for one in self.backlog if one.event.key == key]
            assert self.gone[key] + left == self.added[key]
        assert len(self.backlog) == sum(1 for _ in self.backlog) <= WINDOW
        assert len(self.under_way) <= CONCURRENCY

    def teardown(self) -> None:
        """When the receiver takes everything in the end, everything is delivered."""
        for waiting in list(self.under_way):
            self._leave(waiting)
        for _ in range(2 * WINDOW):
            taken = self.backlog.take(self.now_s)
            if taken is None:
                due_s = self.backlog.next_due_s()
                if due_s is None:
                    break
                self.now_s = max(self.now_s, due_s)
            else:
                self.under_way.append(taken)
                self._leave(taken)
        assert self.gone == {key: seqs for key, seqs in self.added.items() if seqs or key in self.gone}
        assert len(self.backlog) == 0

    def _leave(self, waiting: Waiting) -> None:
        self.backlog.done(waiting)
        self.under_way.remove(waiting)
        assert waiting.seq is not None
        self.gone[waiting.event.key].append(waiting.seq)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_key_that_fails_holds_up_no_other() -> None:
    waits = backlog(concurrency=1)
    for number in range(4):
        waits.add(Waiting(number, event(number, "sick" if number % 2 == 0 else f"well{number}")))
    sick = waits.take(0)
    assert sick is not None
    assert waits.failed(sick, 0) is not None
    delivered = []
    while (one := waits.take(0)) is not None:
        delivered.append(one.seq)
        waits.done(one)
    assert delivered == [1, 3]


def test_keys_take_turns() -> None:
    waits = backlog(concurrency=1)
    for number in range(6):
        waits.add(Waiting(number, event(number, KEYS[0] if number < 4 else KEYS[1])))
    order = []
    while (one := waits.take(0)) is not None:
        order.append(one.seq)
        waits.done(one)
    assert order == [0, 4, 1, 5, 2, 3]


def test_an_event_that_waited_behind_another_has_its_whole_retry_time() -> None:
    waits = backlog()
    waits.add(Waiting(1, event(1, "anna")))
    waits.add(Waiting(2, event(2, "anna")))
    first = waits.take(0)
    assert first is not None
    assert waits.failed(first, RETRY_FOR_S) is None
    waits.done(first)
    second = waits.take(RETRY_FOR_S)
    assert second is not None
    assert second.seq == 2
    assert waits.failed(second, RETRY_FOR_S) is not None

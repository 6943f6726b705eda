"""One timer for all connections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_gateway.timer_wheel import TICK_S, TimerWheel


class Visitor:
    def __init__(self, every_s: float | None = None) -> None:
        self.tick: int | None = None
        self.every_s = every_s
        self.visits: list[float] = []

    def visit(self, now_s: float) -> float | None:
        self.visits.append(now_s)
        return None if self.every_s is None else now_s + self.every_s


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.lists(st.floats(0.01, 20), min_size=1, max_size=40))
def test_each_is_visited_once_not_before_its_time_and_at_the_first_turn_a_tick_after(
    times: list[float], steps: list[float]
) -> None:
    wheel = TimerWheel(0.0)
    visitors = [Visitor() for _ in times]
    for visitor, at_s in zip(visitors, times, strict=True):
        wheel.schedule(visitor, at_s)
    turns = [sum(steps[: n + 1]) for n in range(len(steps))]
    for now_s in turns:
        wheel.turn(now_s)
    for visitor, at_s in zip(visitors, times, strict=True):
        due = [now_s for now_s in turns if now_s >= max(at_s, 0) + 2 * TICK_S]
        assert len(visitor.visits) <= 1
        if due:
            assert len(visitor.visits) == 1
            assert at_s <= visitor.visits[0] <= due[0]
    assert len(wheel) == sum(not visitor.visits for visitor in visitors)


def test_an_earlier_time_wins_and_a_later_one_is_left_to_the_visit() -> None:
    wheel = TimerWheel(0.0)
    visitor = Visitor()
    wheel.schedule(visitor, 10.0)
    wheel.schedule(visitor, 5.0)
    wheel.schedule(visitor, 20.0)
    wheel.turn(5.0)
    assert visitor.visits == [5.0]
    assert len(wheel) == 0


def test_who_is_forgotten_is_never_visited() -> None:
    wheel = TimerWheel(0.0)
    visitor = Visitor()
    wheel.schedule(visitor, 1.0)
    wheel.forget(visitor)
    wheel.turn(50.0)
    assert not visitor.visits
    assert len(wheel) == 0


def test_a_visit_that_is_due_again_at_once_comes_at_the_next_tick() -> None:
    wheel = TimerWheel(0.0)
    visitor = Visitor(every_s=0.0)
    wheel.schedule(visitor, 0.0)
    wheel.turn(TICK_S)
    wheel.turn(2 * TICK_S)
    assert visitor.visits == [TICK_S, 2 * TICK_S]

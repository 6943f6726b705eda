"""How often one thing is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_notifier.unread.pacer import Pacer

INTERVAL_S = 0.25


def test_the_first_change_is_told_at_once() -> None:
    assert Pacer[str](INTERVAL_S).touch("t", 10.0)


def test_a_change_within_the_interval_waits_for_its_end_and_is_told_once() -> None:
    pacer = Pacer[str](INTERVAL_S)
    pacer.touch("t", 10.0)
    assert [pacer.touch("t", 10.0 + n / 1000) for n in range(1, 200)] == [False] * 199
    assert pacer.next_due_s() == 10.25
    assert pacer.due(10.24) == []
    assert pacer.due(10.25) == ["t"]
    assert pacer.due(10.5) == []


def test_without_a_further_change_nothing_more_is_told() -> None:
    pacer = Pacer[str](INTERVAL_S)
    pacer.touch("t", 10.0)
    assert pacer.due(99.0) == []
    assert pacer.next_due_s() is None


def test_keys_do_not_wait_for_each_other() -> None:
    pacer = Pacer[str](INTERVAL_S)
    assert [pacer.touch(key, 10.0) for key in ("t", "u", "t")] == [True, True, False]


@given(
    steps=st.lists(st.tuples(st.sampled_from("tu"), st.floats(0, 0.2)), max_size=60),
)
def test_at_most_one_an_interval_and_the_last_change_always(steps: list[tuple[str, float]]) -> None:
    pacer = Pacer[str](INTERVAL_S)
    now_s = 0.0
    told: dict[str, list[float]] = {"t": [], "u": []}
    changed: dict[str, float] = {}

    def ask(until_s: float) -> None:
        while (due_s := pacer.next_due_s()) is not None and due_s <= until_s:
            for key in pacer.due(due_s):
                told[key].append(due_s)

    for key, pause_s in steps:
        now_s += pause_s
        ask(now_s)
        changed[key] = now_s
        if pacer.touch(key, now_s):
            told[key].append(now_s)
    ask(now_s + 1)
    for key, at_s in changed.items():
        assert at_s <= told[key][-1] <= at_s + INTERVAL_S + 1e-9
        assert all(
            later - earlier >= INTERVAL_S - 1e-9 for earlier, later in zip(told[key], told[key][1:], strict=False)
        )

"""Signs of life."""

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.heartbeat import Heartbeat


def test_a_quiet_link_is_pinged_after_half_a_heartbeat() -> None:
    beat = Heartbeat(10, now=0)
    assert beat.due(4.9) is None
    assert beat.due(5.0) == "ping"


def test_a_ping_is_not_repeated_before_another_half_heartbeat() -> None:
    beat = Heartbeat(10, now=0)
    beat.pinged(5)
    assert beat.due(9.9) is None
    assert beat.due(10) == "ping"


def test_a_link_that_only_hears_still_says_that_it_lives() -> None:
    beat = Heartbeat(10, now=0)
    beat.heard(4)
    assert beat.due(5) == "ping"


def test_a_link_that_only_sends_asks_whether_the_other_side_lives() -> None:
    beat = Heartbeat(10, now=0)
    beat.sent(4)
    assert beat.due(5) == "ping"


def test_two_heartbeats_of_silence_are_death_whatever_was_sent() -> None:
    beat = Heartbeat(10, now=0)
    for second in range(5, 20, 5):
        beat.pinged(second)
    assert beat.due(19.9) != "dead"
    assert beat.due(20) == "dead"


@given(st.lists(st.tuples(st.floats(0.01, 8), st.sampled_from(["heard", "sent"])), max_size=30))
def test_nothing_is_due_before_next_at_and_something_is_due_then(steps: list[tuple[float, str]]) -> None:
    beat, now = Heartbeat(10, now=0.0), 0.0
    for wait, what in steps:
        now += wait
        if what == "heard":
            beat.heard(now)
        else:
            beat.sent(now)
        assert beat.due(beat.next_at) is not None
        if beat.next_at > now:
            assert beat.due(now) is None

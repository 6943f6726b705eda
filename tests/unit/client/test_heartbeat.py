"""Signs of life."""

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.heartbeat import Heartbeat


def beat_of(interval_s: float) -> Heartbeat:
    return Heartbeat(interval_s, now=0.0, doubt_s=1, patience_s=2)


def test_a_quiet_link_is_pinged_after_half_a_heartbeat() -> None:
    beat = beat_of(10)
    assert beat.due(4.9) is None
    assert beat.due(5.0) == "ping"


def test_a_ping_is_not_repeated_before_another_half_heartbeat() -> None:
    beat = beat_of(10)
    beat.pinged(5)
    assert beat.due(9.9) is None
    assert beat.due(10) == "ping"


def test_a_link_that_only_hears_still_says_that_it_lives() -> None:
    beat = beat_of(10)
    beat.heard(4)
    assert beat.due(5) == "ping"


def test_a_link_that_only_sends_asks_whether_the_other_side_lives() -> None:
    beat = beat_of(10)
    beat.sent(4)
    assert beat.due(5) == "ping"


def test_two_heartbeats_of_silence_are_death_whatever_was_sent() -> None:
    beat = beat_of(10)
    for second in range(5, 20, 5):
        beat.pinged(second)
    assert beat.due(19.9) != "dead"
    assert beat.due(20) == "dead"


def test_a_silent_gateway_that_owes_an_answer_is_asked_soon_and_given_up_soon() -> None:
    beat = beat_of(100)
    beat.awaits(10, an_answer=True)
    assert (beat.due(10.9), beat.due(11)) == (None, "ping")
    beat.pinged(11)
    assert (beat.due(12.9), beat.due(13)) == (None, "dead")


def test_an_answered_ping_is_life_however_late_the_awaited_answer_is() -> None:
    beat = beat_of(100)
    beat.awaits(10, an_answer=True)
    for second in range(11, 60):
        assert beat.due(second) == "ping"
        beat.pinged(second)
        beat.heard(second)


def test_an_idle_link_is_not_hurried() -> None:
    beat = beat_of(100)
    beat.awaits(10, an_answer=True)
    beat.pinged(11)
    beat.awaits(11.5, an_answer=False)
    assert beat.due(60.9) is None


def test_an_old_idle_ping_leaves_the_gateway_its_time_when_something_is_asked() -> None:
    beat = beat_of(100)
    beat.pinged(50)
    beat.awaits(60, an_answer=True)
    assert (beat.due(61.9), beat.due(62)) == (None, "dead")


def test_a_standstill_of_our_own_is_not_the_gateways_silence() -> None:
    beat = beat_of(100)
    beat.awaits(10, an_answer=True)
    beat.pinged(11)
    beat.woke(30, 43)  # for what was due at 13: what came meanwhile is still to be read
    assert (beat.due(44.9), beat.due(45)) == (None, "dead")
    beat.woke(0.5, 45.5)  # timers are late on a busy machine: no reason to wait for ever
    assert beat.due(45.5) == "dead"


@given(st.lists(st.tuples(st.floats(0.01, 8), st.sampled_from(["heard", "sent"])), max_size=30))
def test_nothing_is_due_before_next_at_and_something_is_due_then(steps: list[tuple[float, str]]) -> None:
    beat, now = beat_of(10), 0.0
    for wait, what in steps:
        now += wait
        if what == "heard":
            beat.heard(now)
        else:
            beat.sent(now)
        assert beat.due(beat.next_at) is not None
        if beat.next_at > now:
            assert beat.due(now) is None

"""When a failed delivery is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_notifier.webhooks.retry import RetryPolicy, parse_retry_after

STEADY = RetryPolicy(random=lambda: 0.0)
NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


def test_delays_double_up_to_an_hour_for_a_day() -> None:
    since_first_s, delays = 0.0, []
    while (delay_s := STEADY.delay_s(len(delays) + 1, since_first_s, None)) is not None:
        delays.append(delay_s)
        since_first_s += delay_s
    assert delays[:5] == [5, 10, 20, 40, 80]
    assert max(delays) == 3_600
    assert since_first_s == 86_400


@given(
    st.integers(1, 10_000),
    st.floats(0, 200_000),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_bounded_and_ends_with_the_retry_time(
    attempts: int, since_first_s: float, asked_s: float | None, chance: float
) -> None:
    delay_s = RetryPolicy(random=lambda: chance).delay_s(attempts, since_first_s, asked_s)
    assert (delay_s is None) == (since_first_s >= 86_400)
    if delay_s is not None:
        assert 0 < delay_s <= 3_600
        assert since_first_s + delay_s <= 86_400 + 1e-6


def test_what_the_receiver_asks_for_is_kept_up_to_an_hour() -> None:
    assert STEADY.delay_s(1, 0, 120) == 120
    assert STEADY.delay_s(1, 0, 1) == 5
    assert STEADY.delay_s(1, 0, 86_400) == 3_600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("9" * 400, 999_999_999),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW_S) == seconds

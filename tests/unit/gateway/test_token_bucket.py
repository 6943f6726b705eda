"""How fast a connection may speak."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_gateway.token_bucket import TokenBucket


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(-1, 5), max_size=80))
def test_no_stretch_of_time_lets_more_through_than_burst_and_rate(rate: float, burst: int, steps: list[float]) -> None:
    bucket = TokenBucket(rate, burst, 0.0)
    now_s = latest_s = 0.0
    taken = 0
    for step in steps:
        now_s += step
        latest_s = max(latest_s, now_s)
        if bucket.take(now_s) == 0.0:
            taken += 1
        assert taken <= burst + rate * latest_s + 1e-6


def test_who_waits_as_long_as_told_is_let_through() -> None:
    bucket = TokenBucket(rate=2.0, burst=1, now_s=0.0)
    assert bucket.take(0.0) == 0.0
    wait_s = bucket.take(0.0)
    assert wait_s == 0.5
    assert bucket.take(wait_s) == 0.0

"""When a client comes back, and when it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.reconnect_policy import Again, ReconnectPolicy, Stop, comes_back
from chatterbus_contracts.errors import CLOSES, CloseCode


def policy(random: float = 0.999_999, *, can_renew_token: bool = False) -> ReconnectPolicy:
    return ReconnectPolicy(lambda: random, can_renew_token=can_renew_token)


def delays(subject: ReconnectPolicy, count: int) -> list[float]:
    decisions = [subject.lost(None, 0.0) for _ in range(count)]
    return [decision.delay_s for decision in decisions if isinstance(decision, Again)]


def test_delays_double_up_to_thirty_seconds() -> None:
    assert delays(policy(), 8) == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30], rel=1e-4)


def test_jitter_is_full_so_that_thousands_do_not_return_in_step() -> None:
    assert delays(policy(0.0), 5) == [0, 0, 0, 0, 0]
    assert delays(policy(0.5), 3) == [0.5, 1, 2]


def test_attempts_without_end_never_overflow() -> None:
    assert max(delays(policy(), 3_000)) <= 30


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 50))
def test_no_delay_is_ever_above_the_maximum(random: float, count: int) -> None:
    assert all(0 <= delay <= 30 for delay in delays(policy(random), count))


def test_a_stable_connection_starts_the_delays_anew() -> None:
    subject = policy()
    delays(subject, 5)
    subject.opened(100.0)
    assert subject.lost(None, 111.0) == Again(pytest.approx(1, rel=1e-4))


def test_a_connection_that_ends_at_once_does_not_start_the_delays_anew() -> None:
    subject = policy()
    delays(subject, 3)
    subject.opened(100.0)
    assert subject.lost(None, 101.0) == Again(pytest.approx(8, rel=1e-4))


def test_a_reconnect_frame_is_honoured_and_is_no_failure() -> None:
    subject = policy()
    subject.opened(0.0)
    subject.told_to_return(700, 5.0)
    assert subject.lost(CloseCode.DRAINING, 5.2) == Again(pytest.approx(0.5))
    assert subject.lost(None, 6.0) == Again(pytest.approx(1, rel=1e-4))


def test_after_the_told_time_the_return_is_immediate_whoever_closed() -> None:
    subject = policy()
    subject.told_to_return(700, 5.0)
    assert subject.lost(CloseCode.NORMAL, 5.8) == Again(0.0)


@pytest.mark.parametrize("code", list(CloseCode))
def test_every_close_code_is_followed_as_its_row_says(code: CloseCode) -> None:
    assert comes_back(code) is CLOSES[code].reconnect
    assert isinstance(policy().lost(code, 0.0), Again) is CLOSES[code].reconnect


@pytest.mark.parametrize("code", [None, 1001, 1006, 1011, 1012, 1013, 4123, 4499])
def test_codes_of_networks_and_of_the_reconnect_class_are_followed_by_a_return(code: int | None) -> None:
    assert comes_back(code)


@pytest.mark.parametrize("code", [4500, 4777, 4999])
def test_unknown_codes_of_the_final_class_end_the_client(code: int) -> None:
    assert isinstance(policy().lost(code, 0.0), Stop)


def test_an_expired_token_is_renewed_once() -> None:
    subject = policy(can_renew_token=True)
    first = subject.lost(CloseCode.TOKEN_EXPIRED, 0.0)
    assert isinstance(first, Again)
    assert first.fresh_token
    assert isinstance(subject.lost(CloseCode.TOKEN_EXPIRED, 1.0), Stop)


def test_a_renewed_token_that_was_accepted_may_expire_again() -> None:
    subject = policy(can_renew_token=True)
    subject.lost(CloseCode.TOKEN_EXPIRED, 0.0)
    subject.opened(1.0)
    assert isinstance(subject.lost(CloseCode.TOKEN_EXPIRED, 900.0), Again)


def test_without_a_callback_an_expired_token_ends_the_client_and_says_what_to_do() -> None:
    decision = policy().lost(CloseCode.TOKEN_EXPIRED, 0.0)
    assert isinstance(decision, Stop)
    assert "get a new token" in decision.reason

"""The tables of codes are complete, and a code's row means what its kind says."""

import pytest

from chatterbus_contracts.errors import CLOSES, ERRORS, CloseCode, ErrorCode

NAMED_BY_THE_PROTOCOL = frozenset(
    """
AUTH_REQUIRED AUTH_FAILED TOKEN_EXPIRED TOKEN_REVOKED IDENTITY_MISMATCH BAD_FRAME UNKNOWN_TYPE FRAME_TOO_LARGE
CONTENT_TOO_LONG CONTENT_EMPTY RATE_LIMITED TOO_MANY_CONNECTIONS TOO_MANY_SUBSCRIPTIONS THREAD_NOT_FOUND NOT_A_MEMBER
FORBIDDEN MESSAGE_NOT_FOUND REPLY_TARGET_NOT_FOUND MESSAGE_PERSIST_FAILED QUEUE_UNAVAILABLE QUEUE_FULL
STORE_UNAVAILABLE TIMEOUT INTERNAL
""".split()  # noqa: SIM905 - a list of words reads better as words
)


def test_every_error_code_has_its_row_and_every_row_its_code() -> None:
    assert list(ERRORS) == list(ErrorCode)


def test_every_close_code_has_its_row_and_every_row_its_code() -> None:
    assert list(CLOSES) == list(CloseCode)


def test_the_codes_of_the_protocol_exist() -> None:
    assert set(ErrorCode) >= NAMED_BY_THE_PROTOCOL


@pytest.mark.parametrize("code", ErrorCode)
def test_a_codes_name_is_its_value(code: ErrorCode) -> None:
    assert code.name == code.value


@pytest.mark.parametrize("code", ErrorCode)
def test_a_row_says_who_when_and_what_to_do(code: ErrorCode) -> None:
    row = ERRORS[code]
    assert row.sender in ("gateway", "persister")
    assert row.when
    assert row.client
    assert 400 <= row.status <= 504


@pytest.mark.parametrize("code", ErrorCode)
def test_an_unknown_fate_is_always_worth_asking_again(code: ErrorCode) -> None:
    if ERRORS[code].fate == "unknown":
        assert ERRORS[code].retryable
        assert ERRORS[code].status >= 500


@pytest.mark.parametrize("code", ErrorCode)
def test_a_retry_is_never_asked_for_with_a_final_http_status(code: ErrorCode) -> None:
    if ERRORS[code].retryable:
        assert ERRORS[code].status in (429, 500, 503, 504)


@pytest.mark.parametrize("code", CloseCode)
def test_the_range_of_a_close_code_says_whether_to_come_back(code: CloseCode) -> None:
    if 4000 <= code < 4500:
        assert CLOSES[code].reconnect
    else:
        assert not CLOSES[code].reconnect
        assert code < 1016 or 4500 <= code < 5000


def test_the_close_codes_of_the_protocol_keep_their_numbers() -> None:
    assert {code.name: int(code) for code in CloseCode}.items() >= {
        "MESSAGE_TOO_BIG": 1009,
        "UNSUPPORTED_DATA": 1003,
        "DRAINING": 4000,
        "SLOW_CONSUMER": 4008,
        "RESYNC_NEEDED": 4009,
        "AUTH_FAILED": 4501,
        "TOKEN_EXPIRED": 4502,
        "PROTOCOL_VIOLATION": 4503,
        "TOO_MANY_CONNECTIONS": 4504,
    }.items()

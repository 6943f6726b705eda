"""Signatures are those of Standard Webhooks."""

from __future__ import annotations

import base64

import pytest

from chatterbus_notifier.webhooks.signature import parse_secrets, signature

# The example that Standard Webhooks' own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * size).decode()


def test_the_published_example_is_signed_as_published() -> None:
    assert signature(parse_secrets(SECRET), *EVENT) == SIGNED


def test_while_a_secret_is_replaced_both_sign_and_the_new_one_first() -> None:
    both = signature(parse_secrets(f"{secret_of(32)} {SECRET}"), *EVENT)
    assert both.split(" ") == [signature(parse_secrets(secret_of(32)), *EVENT), SIGNED]


def test_another_body_time_or_id_is_another_signature() -> None:
    keys = parse_secrets(SECRET)
    event_id, timestamp_s, body = EVENT
    others = [("msg_2", timestamp_s, body), (event_id, timestamp_s + 1, body), (event_id, timestamp_s, body + b" ")]
    assert SIGNED not in [signature(keys, *other) for other in others]


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_24_to_64_bytes_are_taken(size: int) -> None:
    assert parse_secrets(secret_of(size)) == (b"k" * size,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        secret_of(23),
        secret_of(65),
        SECRET.removeprefix("whsec_"),
        "whsec_not*base64",
        "whsec_",
        f"{SECRET} {SECRET} {SECRET}",
        f"{SECRET} short",
    ],
)
def test_other_secrets_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_secrets(text)
    assert text.strip() not in str(refusal.value) or not text.strip() or text == "whsec_"

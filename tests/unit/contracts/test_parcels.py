"""Parcels: several commands in one queue message, each standing for itself."""

import json

import pytest

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.commands import (
    PARCEL_MAX_BYTES,
    PARCEL_MAX_COMMANDS,
    MoveCursor,
    StoreMessage,
    decode_parcel,
    encode_command,
    encode_parcel,
)
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.limits import FRAME_MAX_BYTES


def command(name: str) -> MoveCursor:
    return MoveCursor(id=name, thread_id="t", user_id="u", user_type="user", read_seq=1)


def test_a_parcel_keeps_the_order_of_its_commands() -> None:
    commands = [command(f"c{number}") for number in range(PARCEL_MAX_COMMANDS)]
    assert decode_parcel(encode_parcel([encode_command(each) for each in commands])) == commands


@pytest.mark.parametrize(
    "poison",
    [
        b"null",
        b"7",
        b"{}",
        b'{"kind":"no.such.kind"}',
        b'{"kind":"message.send","id":"c","threadId":"*"}',
        encode_command(command("c")).replace(b'"t"', b'"a.b"'),
    ],
)
def test_a_poisoned_command_does_not_hide_its_neighbours(poison: bytes) -> None:
    before, after = command("before"), command("after")
    decoded = decode_parcel(encode_parcel([encode_command(before), poison, encode_command(after)]))
    assert decoded[0] == before
    assert isinstance(decoded[1], DecodeError)
    assert decoded[2] == after


def test_an_unknown_kind_of_command_is_told_from_a_malformed_one() -> None:
    unknown, malformed = decode_parcel(b'[{"kind":"later.version"},{"kind":"cursor.move"}]')
    assert isinstance(unknown, DecodeError)
    assert isinstance(malformed, DecodeError)
    assert unknown.code is ErrorCode.UNKNOWN_TYPE
    assert malformed.code is ErrorCode.BAD_FRAME


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[1", b"\xff", b'"["'])
def test_what_is_no_parcel_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_parcel(data)


def test_the_longest_message_fits_into_a_parcel() -> None:
    longest = StoreMessage(
        id="c" * 128,
        thread_id="t" * 128,
        user_id="u" * 128,
        user_type="s" * 128,
        gateway="g" * 128,
        client_message_id="m" * 128,
        content="\x01" * 16_000,
        mentions=["u" * 128] * 50,
    )
    assert FRAME_MAX_BYTES < len(encode_command(longest)) < PARCEL_MAX_BYTES


def test_a_command_without_a_waiting_gateway_says_nothing_about_one() -> None:
    assert "gateway" not in json.loads(encode_command(command("c")))

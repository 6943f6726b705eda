"""Fuzz: whatever the bytes are, decoding yields a value or DecodeError, and the error never repeats the input."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatterbus_contracts.codec import DecodeError, encode, parse_json
from chatterbus_contracts.commands import COMMANDS, decode_parcel
from chatterbus_contracts.envelopes import decode_answers, decode_events
from chatterbus_contracts.frames.client import CLIENT_FRAMES, decode_client_frame
from chatterbus_contracts.frames.server import SERVER_FRAMES, decode_server_frame
from chatterbus_contracts.subjects import (
    parse_event_subject,
    parse_gateway_subject,
    parse_typing_subject,
    parse_user_subject,
)
from tests.kit.strategies import any_of

DECODERS: list[Callable[[bytes], object]] = [
    decode_client_frame,
    decode_server_frame,
    decode_parcel,
    decode_events,
    decode_answers,
    parse_json,
]
SOME = settings(max_examples=150, deadline=None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("decoder", DECODERS)
@SOME
@given(data=st.binary(max_size=200))
@example(data=b"\xef\xbb\xbf{}")
@example(data=b'{"type":"auth","type":"ping"}')
@example(data=b"[" * 10_000)
def test_any_bytes_are_a_value_or_a_decode_error(decoder: Callable[[bytes], object], data: bytes) -> None:
    with suppress(DecodeError):
        decoder(data)


@SOME
@given(data=st.text(max_size=100))
def test_any_text_is_a_frame_or_a_decode_error(data: str) -> None:
    with suppress(DecodeError):
        decode_client_frame(data)


@pytest.mark.parametrize("decoder", DECODERS[:3])
@SOME
@given(value=json_values)
def test_any_json_is_a_value_or_a_decode_error(decoder: Callable[[bytes], object], value: Any) -> None:
    with suppress(DecodeError):
        decoder(json.dumps(value).encode())


SECRET = "hunter2-S3cr3t"


def said_of(decoder: Callable[[bytes], object], data: bytes) -> str:
    """What the error of a decoder shows, empty if there is none."""
    try:
        decoder(data)
    except DecodeError as error:
        return str(error) + repr(error.__cause__)
    return ""


# In fields with a meaning of their own a secret may be a valid value; these can be none.
wrong_values = st.sampled_from(
    [SECRET + "*", [SECRET], {SECRET: SECRET}, {"x": [SECRET]}, [[SECRET]], -1.5, True, None]
)


@pytest.mark.parametrize(
    ("table", "decoder"), [(CLIENT_FRAMES, decode_client_frame), (SERVER_FRAMES, decode_server_frame)]
)
@SOME
@given(data=st.data())
def test_a_frame_with_wrong_fields_never_comes_back_in_the_error(table: Any, decoder: Any, data: Any) -> None:
    frame = json.loads(encode(data.draw(any_of(table))))
    for name in data.draw(st.sets(st.sampled_from(sorted(frame)), min_size=1)):
        frame[name] = data.draw(wrong_values)
    assert SECRET not in said_of(decoder, json.dumps(frame).encode())


@SOME
@given(data=st.data())
def test_a_command_with_wrong_fields_never_comes_back_in_the_error(data: Any) -> None:
    command = json.loads(encode(data.draw(any_of(COMMANDS))))
    for name in data.draw(st.sets(st.sampled_from(sorted(command)), min_size=1)):
        command[name] = data.draw(wrong_values)
    for decoded in decode_parcel(json.dumps([command]).encode()):
        assert SECRET not in (str(decoded) if isinstance(decoded, DecodeError) else "")


@pytest.mark.parametrize(
    "parser", [parse_event_subject, parse_typing_subject, parse_gateway_subject, parse_user_subject]
)
@SOME
@given(rest=st.text(max_size=20))
def test_any_subject_is_an_id_or_a_value_error(parser: Callable[[str], str], rest: str) -> None:
    for prefix in ("chat.evt.", "chat.typ.", "chat.gw.", "chat.user.", ""):
        with suppress(ValueError):
            assert parser(prefix + rest)

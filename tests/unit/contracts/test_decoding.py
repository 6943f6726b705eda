"""Decoding: which code a wrong frame gets, and what its error may say."""

import json

import pytest

from chatterbus_contracts.codec import DecodeError, parse_json
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import decode_client_frame

SECRET = "S3cr3t*"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.BAD_FRAME),
        (b"\xff\xfe", ErrorCode.BAD_FRAME),
        (b"null", ErrorCode.BAD_FRAME),
        (b"[]", ErrorCode.BAD_FRAME),
        (b'"auth"', ErrorCode.BAD_FRAME),
        (b"{}", ErrorCode.BAD_FRAME),
        (b'{"Type":"auth"}', ErrorCode.BAD_FRAME),
        (b'{"type":"auth"', ErrorCode.BAD_FRAME),
        (b'{"type":"ping","id":"\\ud800"}', ErrorCode.BAD_FRAME),
        (b'{"type":"ping","id":"\\u0000"}', ErrorCode.BAD_FRAME),
        (b"[" * 100_000, ErrorCode.BAD_FRAME),
        (b'{"type":"auth","protocolVersion":' + b"9" * 5_000 + b"}", ErrorCode.BAD_FRAME),
        (b'{"type":"subscribe","threadId":"t","sinceRev":9007199254740992}', ErrorCode.BAD_FRAME),
        (b'{"type":"subscribe","threadId":"t","sinceRev":"1"}', ErrorCode.BAD_FRAME),
        (b'{"type":"read_receipt","threadId":"t","seq":0}', ErrorCode.BAD_FRAME),
        (b'{"type":"no_such_type"}', ErrorCode.UNKNOWN_TYPE),
        (b'{"type":"auth_success"}', ErrorCode.UNKNOWN_TYPE),
        (b'{"type":7}', ErrorCode.UNKNOWN_TYPE),
        (b'{"type":null}', ErrorCode.UNKNOWN_TYPE),
    ],
)
def test_a_wrong_frame_gets_its_code(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_client_frame(data)
    assert refused.value.code is code


def test_a_text_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_client_frame('{"type":"ping","id":"\ud800"}')


@pytest.mark.parametrize(
    "frame",
    [
        {"type": SECRET},
        {"type": "auth", "token": SECRET * 10_000},
        {"type": "auth", "userId": SECRET, "sinceRev": SECRET, "protocolVersion": SECRET},
        {"type": "message", "threadId": SECRET, "content": [SECRET], "messageType": SECRET},
        {"type": "message", "threadId": "t", "content": "x", "mentions": [SECRET], "metadata": {SECRET: "\x00"}},
        {"type": "message", "threadId": "t", "content": "x", "mentions": [{SECRET: SECRET}]},
        {"type": "read_receipt", "threadId": "t", "messageId": SECRET, "seq": SECRET},
    ],
)
def test_an_error_never_repeats_what_was_sent(frame: dict[str, object]) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_client_frame(json.dumps(frame))
    assert SECRET not in refused.value.message
    assert SECRET not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert len(refused.value.message) < 500


def test_broken_json_is_explained_without_repeating_it() -> None:
    with pytest.raises(DecodeError) as refused:
        parse_json(f'{{"a": {SECRET}}}')
    assert SECRET not in refused.value.message


def test_an_error_names_the_field_and_the_reason() -> None:
    with pytest.raises(DecodeError, match=r"threadId: Field required; .*content: Field required"):
        decode_client_frame(b'{"type":"message"}')


@pytest.mark.parametrize("name", ["text", "file", "system"])
def test_the_message_types_are_understood(name: str) -> None:
    frame = decode_client_frame(json.dumps({"type": "message", "threadId": "t", "content": "x", "messageType": name}))
    assert frame.message_type == name

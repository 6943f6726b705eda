"""Content, titles and metadata: the edges of what is accepted."""

import json
from typing import Any

import pytest

from chatterbus_contracts.codec import DecodeError, encode
from chatterbus_contracts.commands import StoreMessage, decode_parcel, encode_command, encode_parcel
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import SendMessage, decode_client_frame
from chatterbus_contracts.limits import CONTENT_MAX_CHARS, METADATA_MAX_BYTES, METADATA_MAX_DEPTH
from chatterbus_contracts.text import check_content


def sent_with(metadata_json: str) -> SendMessage:
    frame = decode_client_frame(f'{{"type":"message","threadId":"t","content":"x","metadata":{metadata_json}}}')
    assert isinstance(frame, SendMessage)
    return frame


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def test_content_is_measured_in_characters_not_bytes() -> None:
    check_content("ü" * CONTENT_MAX_CHARS, has_attachments=False)
    with pytest.raises(Refusal) as refused:
        check_content("a" * (CONTENT_MAX_CHARS + 1), has_attachments=True)
    assert refused.value.code is ErrorCode.CONTENT_TOO_LONG


@pytest.mark.parametrize("content", ["", " ", "\n\t ", "\u3000"])
def test_blank_content_needs_an_attachment(content: str) -> None:
    check_content(content, has_attachments=True)
    with pytest.raises(Refusal) as refused:
        check_content(content, has_attachments=False)
    assert refused.value.code is ErrorCode.CONTENT_EMPTY


def test_metadata_may_be_as_large_as_its_limit() -> None:
    fits = METADATA_MAX_BYTES - len('{"a":""}')
    sent_with(json.dumps({"a": "x" * fits}))
    with pytest.raises(DecodeError, match="larger than"):
        sent_with(json.dumps({"a": "x" * (fits + 1)}))


def test_metadata_may_be_nested_as_deep_as_its_limit() -> None:
    sent_with(nested(METADATA_MAX_DEPTH))
    with pytest.raises(DecodeError, match="nested deeper"):
        sent_with(nested(METADATA_MAX_DEPTH + 1))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_metadata_holds_only_numbers_that_json_can_carry(number: str) -> None:
    with pytest.raises(DecodeError):
        sent_with(f'{{"a":[{number}]}}')


def test_metadata_refuses_the_character_that_postgresql_refuses() -> None:
    for poisoned in (r'{"a":"\u0000"}', r'{"\u0000":1}', r'{"a":["x\\\u0000"]}'):
        with pytest.raises(DecodeError, match=r"U\+0000"):
            sent_with(poisoned)


def test_metadata_may_spell_that_character_out() -> None:
    assert sent_with(r'{"a":"\\u0000"}').metadata == {"a": "\\u0000"}


@pytest.mark.parametrize(
    "metadata",
    [json.loads(nested(METADATA_MAX_DEPTH)), {"n": 10**4000}, {"n": 1e308, "m": -0.0, "k": 5e-324}, {"": [[], {}]}],
    ids=["deepest", "long integer", "extreme floats", "empty things"],
)
def test_whatever_metadata_a_client_may_send_survives_the_queue(metadata: dict[str, Any]) -> None:
    accepted = sent_with(json.dumps(metadata)).metadata
    command = StoreMessage(
        id="c", thread_id="t", user_id="u", user_type="user", client_message_id="m", content="x", metadata=accepted
    )
    assert decode_parcel(encode_parcel([encode_command(command)])) == [command]
    assert encode(command) == encode_command(command)

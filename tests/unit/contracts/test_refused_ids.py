"""S7: what is no id is refused in every id field of everything that comes from outside, and by every parse function."""

import json
from collections.abc import Iterator

import pytest

from chatterbus_contracts import ids, rest, subjects
from chatterbus_contracts.codec import DecodeError, Wire, decode, decode_object
from chatterbus_contracts.ids import InvalidId
from tests.contract.golden_files import adapter, names, parts
from tests.unit.contracts.hostile import (
    HOSTILE,
    HOSTILE_ATTACHMENT_IDS,
    HOSTILE_IDS,
    HOSTILE_MESSAGE_IDS,
    id_fields,
    poisoned,
)

BODIES: list[tuple[type[Wire], dict[str, object]]] = [
    (rest.CreateThreadBody, {"id": "t"}),
    (rest.SendMessageBody, {"threadId": "t", "content": "Hello"}),
    (rest.MarkReadBody, {"messageId": "t~1"}),
]


def models() -> Iterator[tuple[type[Wire], dict[str, object]]]:
    for group, name in names():
        yield from parts(group, name)
    yield from BODIES


CASES = [
    pytest.param(model, valid, field, id=f"{model.__name__}.{field[0]}")
    for model, valid in models()
    for field in id_fields(model)
]


@pytest.mark.parametrize(("model", "valid", "field"), CASES)
def test_a_hostile_id_is_refused_in_every_field(
    model: type[Wire], valid: dict[str, object], field: tuple[str, bool, str]
) -> None:
    alias, is_list, pattern = field
    for what, text in HOSTILE[pattern].items():
        value = poisoned(valid, alias, is_list, text)
        with pytest.raises(DecodeError) as as_json:
            decode(adapter(model), json.dumps(value).encode())
        with pytest.raises(DecodeError) as as_value:
            decode_object(adapter(model), value)
        assert alias in as_value.value.message, what
        if len(text) > 2:
            assert text not in as_json.value.message + as_value.value.message, what


def test_every_frame_with_a_thread_is_among_the_cases() -> None:
    cases = {case.id for case in CASES}
    assert {"SendMessage.threadId", "Auth.deviceId", "SendRead.messageId", "StoreMessage.mentions"} <= cases
    assert {"AskSync.threadId", "AskMessage.messageId", "SendMessageBody.attachmentIds"} <= cases
    assert {
        "React.messageId",
        "RemoveMember.memberId",
        "AskAttachment.attachmentId",
        "StoreMessage.attachmentIds",
    } <= cases
    assert len(cases) > 60


@pytest.mark.parametrize("text", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
@pytest.mark.parametrize("parse", [ids.parse_thread_id, ids.parse_user_id, ids.parse_gateway_id])
def test_the_parse_functions_refuse_a_hostile_id(parse, text: str) -> None:
    with pytest.raises(InvalidId) as refused:
        parse(text)
    assert len(text) < 3 or text not in str(refused.value)


@pytest.mark.parametrize("text", HOSTILE_MESSAGE_IDS.values(), ids=HOSTILE_MESSAGE_IDS)
def test_splitting_refuses_what_is_no_message_id(text: str) -> None:
    with pytest.raises(InvalidId):
        ids.split_message_id(text)


@pytest.mark.parametrize("text", HOSTILE_ATTACHMENT_IDS.values(), ids=HOSTILE_ATTACHMENT_IDS)
def test_splitting_refuses_what_is_no_attachment_id(text: str) -> None:
    with pytest.raises(InvalidId):
        ids.split_attachment_id(text)


@pytest.mark.parametrize("text", HOSTILE_IDS.values(), ids=HOSTILE_IDS)
@pytest.mark.parametrize(
    ("prefix", "parse"),
    [
        ("chat.evt.", subjects.parse_event_subject),
        ("chat.typ.", subjects.parse_typing_subject),
        ("chat.gw.", subjects.parse_gateway_subject),
        ("chat.user.", subjects.parse_user_subject),
    ],
)
def test_the_subject_parsers_refuse_a_hostile_token(prefix: str, parse, text: str) -> None:
    with pytest.raises(ValueError):
        parse(prefix + text)

"""What the persister encodes is what the contracts describe."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from chatterbus_contracts.commands import COMMANDS
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.frames.server import Ack, Error, MessageAck, decode_server_frame
from chatterbus_contracts.ids import ClientMessageId, CommandId, ThreadId, UserId
from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.states import MemberState, MessageState, MessageType, OwnState, Role, ThreadState
from chatterbus_persister import frames
from chatterbus_persister.ledger.echoes import ECHOES
from chatterbus_persister.ledger.handlers import HANDLERS
from chatterbus_persister.ledger.outcome import (
    CursorMoved,
    LedgerEvent,
    MembershipChanged,
    MessageChanged,
    MessageStored,
    Outcome,
    ThreadChanged,
)
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.store_service import READS
from tests.kit.ledger_commands import move, send
from tests.kit.ledger_worker import START

T, ANN = ThreadId("t"), UserId("ann")
THREAD = ThreadRow(T, "title", {"a": [1, None]}, False, ANN, START, 7, 12, START, 1)
BARE_THREAD = ThreadRow(T, None, None, True, ANN, START)
MEMBER = MemberRow(T, ANN, "client", Role.OWNER, START, None, 5, 9, START, 4, 8, START, 2, 9)
MESSAGE = MessageRow(
    T,
    7,
    12,
    ANN,
    "client",
    ClientMessageId("c1"),
    MessageType.FILE,
    "hi",
    3,
    [UserId("bob")],
    {"x": 1},
    START,
    reactions={"👍": [ANN, UserId("bob")], "🎉": [ANN]},
    attachments=[
        {
            "id": "t~f" + "0" * 32,
            "name": "é.png",
            "contentType": "image/png",
            "sizeBytes": 7,
            "width": 2,
            "height": 1,
            "thumbnail": thumbnail,
        }
        for thumbnail in (True, False)
    ],
    created_rev=12,
)
BARE_MESSAGE = MessageRow(
    T, 1, 3, ANN, "user", ClientMessageId("c1"), MessageType.TEXT, "", None, [], None, START, created_rev=3
)
EDITED = replace(MESSAGE, edited_at=START, rev=13)
DELETED = replace(MESSAGE, content="", deleted_at=START, rev=14)
STATES: list[tuple[type[Any], Any]] = [
    (MessageState, frames.message_state(MESSAGE)),
    (MessageState, frames.message_state(BARE_MESSAGE)),
    (MessageState, frames.message_state(EDITED)),
    (MessageState, frames.message_state(DELETED)),
    (MemberState, frames.member_state(MEMBER)),
    (ThreadState, frames.thread_state(THREAD, [MEMBER])),
    (ThreadState, frames.thread_state(BARE_THREAD, [])),
    (OwnState, frames.own_state(THREAD, MEMBER)),
    (OwnState, frames.own_state(THREAD, replace(MEMBER, archived_seq=7, marked_unread_seq=2, muted=True))),
]
EVENTS: list[tuple[str, LedgerEvent]] = [
    ("message", MessageStored(MESSAGE)),
    ("message", MessageStored(BARE_MESSAGE)),
    ("message_updated", MessageChanged(EDITED)),
    ("message_updated", MessageChanged(replace(BARE_MESSAGE, rev=9))),
    ("message_deleted", MessageChanged(DELETED)),
    ("message_deleted", MessageStored(DELETED)),
    ("thread_updated", ThreadChanged(THREAD, 1)),
    ("member_added", MembershipChanged(MEMBER, 2)),
    ("member_removed", MembershipChanged(replace(MEMBER, removed_at=START), 2)),
    ("read_receipt", CursorMoved(MEMBER, "read_receipt", 4, 8)),
    ("delivered_receipt", CursorMoved(MEMBER, "delivered_receipt", 5, 9)),
]


@pytest.mark.parametrize(("model", "state"), STATES)
def test_a_state_has_exactly_the_fields_of_its_contract(model: type[Any], state: dict[str, Any]) -> None:
    encoded = frames.encode_json(state)
    decoded = model.model_validate_json(encoded)
    assert decoded.model_dump_json(by_alias=True, exclude_unset=True).encode() == encoded
    left_out = {name for name, field in model.model_fields.items() if field.is_required()} - decoded.model_fields_set
    assert left_out == set()


@pytest.mark.parametrize(("kind", "event"), EVENTS)
def test_an_event_is_the_frame_of_its_contract(kind: str, event: LedgerEvent) -> None:
    told = frames.event_of(event)
    frame: Any = decode_server_frame(told.frame)
    assert (told.type, frame.type, frame.rev) == (kind, kind, told.rev)
    assert frame.model_dump_json(by_alias=True, exclude_unset=True).encode() == told.frame


def test_every_event_of_the_ledger_has_a_frame() -> None:
    assert {type(event) for _, event in EVENTS} == set(frames._FRAMES) == set(LedgerEvent.__args__)


def test_a_stored_message_is_acked_with_its_place() -> None:
    answer = frames.answer_of(Outcome(send("t", "ann", "c1"), message=MESSAGE))
    frame = decode_server_frame(answer.frame)
    assert isinstance(frame, MessageAck)
    assert (answer.applied, frame.status, frame.server_message_id, frame.seq, frame.rev) == (True, "sent", "t~7", 7, 12)
    assert (frame.client_message_id, frame.created_at) == ("c1", "2026-01-31T12:00:00.500Z")


def test_a_message_is_acked_with_the_rev_it_came_with_whatever_became_of_it() -> None:
    answer = frames.answer_of(Outcome(send("t", "ann", "c1"), message=EDITED))
    frame = decode_server_frame(answer.frame)
    assert isinstance(frame, MessageAck)
    assert frame.rev == 12


def test_a_message_changed_before_it_was_told_of_is_new_to_who_never_saw_it() -> None:
    assert frames.message_frame(EDITED, known_rev=11)["type"] == "message"
    assert frames.message_frame(EDITED, known_rev=12)["type"] == "message_updated"
    assert frames.message_frame(DELETED, known_rev=11)["type"] == "message_deleted"


def test_any_other_command_is_acked_with_its_ref() -> None:
    for ref in (None, "r1"):
        command = move("t", "ann", read=1).model_copy(update={"ref": ref})
        answer = frames.answer_of(Outcome(command, rev=4))
        assert decode_server_frame(answer.frame) == Ack(ref=ref, thread_id="t", rev=4)
        assert answer.applied


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_refusal_says_what_its_codes_row_says(code: ErrorCode) -> None:
    answer = frames.refusal_answer(CommandId("c"), Refusal(code, "no"), ref="r", client_message_id="m")
    frame = decode_server_frame(answer.frame)
    assert isinstance(frame, Error)
    row = ERRORS[code]
    assert (answer.applied, frame.code, frame.retryable, frame.fate) == (False, code, row.retryable, row.fate)
    assert (frame.ref, frame.client_message_id) == ("r", "m")


def test_times_are_utc_whatever_zone_they_come_in() -> None:
    elsewhere = datetime(2026, 1, 31, 17, 30, 0, 7_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert frames.time_text(elsewhere) == "2026-01-31T12:00:00.007Z"
    assert frames.optional_time(None) is None


def test_every_command_has_one_handler_and_one_echo() -> None:
    assert set(HANDLERS) == set(ECHOES) == set(COMMANDS.values())


def test_every_query_has_one_read() -> None:
    assert set(READS) == set(QUERIES)

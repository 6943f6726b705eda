"""Rows as the JSON that clients read: the one place where a state, an event frame and an answer frame are encoded.

Promises: a state always carries all of its fields, null where empty; the same row gives the same bytes, live or
announced again or in a page of history. Values are in wire form already, so nothing is validated twice.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.commands import StoreMessage
from chatterbus_contracts.envelopes import Answer, Event
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.ids import CommandId, message_id
from chatterbus_persister.ledger.outcome import (
    CursorMoved,
    LedgerEvent,
    MembershipChanged,
    MessageChanged,
    MessageStored,
    Outcome,
    ThreadChanged,
)
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, Reactions, ThreadRow

Json = dict[str, Any]


@lru_cache(maxsize=1024)
def time_text(at: datetime) -> str:
    """UTC, ISO 8601 with milliseconds. Cached: all changes of a batch share their time."""
    at = at.astimezone(UTC)  # PostgreSQL answers in the time zone that its operator set
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def optional_time(at: datetime | None) -> str | None:
    """The same for a time that may be absent."""
    return None if at is None else time_text(at)


def message_state(row: MessageRow) -> Json:
    """contracts.states.MessageState of a row."""
    thread_id = row.thread_id
    created_at = time_text(row.created_at)
    edited_at, deleted_at = row.edited_at, row.deleted_at
    changed_at = deleted_at or edited_at
    return {
        "id": message_id(thread_id, row.seq),
        "threadId": thread_id,
        "seq": row.seq,
        "rev": row.rev,
        "senderId": row.sender_id,
        "senderType": row.sender_type,
        "clientMessageId": row.client_message_id,
        "content": row.content,
        "messageType": row.message_type,
        "edited": edited_at is not None,
        "editedAt": optional_time(edited_at),
        "deleted": deleted_at is not None,
        "deletedAt": optional_time(deleted_at),
        "replyToId": None if row.reply_to_seq is None else message_id(thread_id, row.reply_to_seq),
        "createdAt": created_at,
        "updatedAt": created_at if changed_at is None else time_text(changed_at),
        "attachments": [attachment_state(file) for file in row.attachments] if row.attachments else [],
        "mentions": row.mentions,
        "metadata": row.metadata,
        "reactions": _reactions(row.reactions) if row.reactions else [],
    }


def _reactions(reactions: Reactions) -> list[Json]:
    return [{"emoji": emoji, "count": len(users), "userIds": users} for emoji, users in reactions.items()]


def attachment_state(file: Json) -> Json:
    """contracts.states.AttachmentState of a file's description (a message keeps these)."""
    url = f"/api/chat/attachments/{file['id']}"
    return {
        **{name: file[name] for name in ("id", "name", "contentType", "sizeBytes", "width", "height")},
        "url": url,
        "thumbnailUrl": f"{url}?thumbnail=true" if file["thumbnail"] else None,
    }


def member_state(row: MemberRow) -> Json:
    """contracts.states.MemberState of a row."""
    return {
        "userId": row.user_id,
        "userType": row.user_type,
        "role": row.role,
        "deliveredSeq": row.delivered_seq,
        "readSeq": row.shown_read_seq,
        "joinedAt": time_text(row.joined_at),
        "rev": row.rev,
    }


def thread_state(row: ThreadRow, members: Iterable[MemberRow] = ()) -> Json:
    """contracts.states.ThreadState of a row and the members it is to name."""
    return {
        "id": row.thread_id,
        "title": row.title,
        "metadata": row.metadata,
        "createdBy": row.created_by,
        "createdAt": time_text(row.created_at),
        "lastSeq": row.last_seq,
        "rev": row.last_rev,
        "lastMessageAt": optional_time(row.last_message_at),
        "members": [member_state(member) for member in members],
    }


def own_state(row: ThreadRow, member: MemberRow) -> Json:
    """contracts.states.OwnState of a thread for one of its members."""
    return {
        "readSeq": member.read_seq,
        "unread": member.unread_of(row.last_seq),
        "markedUnreadSeq": member.marked_unread_seq,
        "archived": member.is_archived(row.last_seq),
        "muted": member.muted,
        "showReceipts": member.show_receipts,
    }


def own_state_change(member: MemberRow) -> Json:
    """contracts.own_states.OwnStateChanged of a member."""
    return {
        "threadId": member.thread_id,
        "userId": member.user_id,
        "readSeq": member.read_seq,
        "markedUnreadSeq": member.marked_unread_seq,
        "muted": member.muted,
    }


def message_frame(row: MessageRow, *, known_rev: int) -> Json:
    """The frame that tells a message's current state to somebody who has seen everything through `known_rev`."""
    if row.deleted_at is not None:
        kind = "message_deleted"
    else:
        kind = "message" if row.created_rev > known_rev else "message_updated"
    return {"type": kind, "threadId": row.thread_id, "rev": row.rev, "data": message_state(row)}


def thread_frame(row: ThreadRow, rev: int) -> Json:
    """thread_updated. Members are told one by one, so the list is empty here."""
    return {"type": "thread_updated", "threadId": row.thread_id, "rev": rev, "data": thread_state(row)}


def member_frame(row: MemberRow, rev: int) -> Json:
    """member_added, or member_removed for a former member."""
    kind = "member_added" if row.removed_at is None else "member_removed"
    return {"type": kind, "threadId": row.thread_id, "rev": rev, "data": member_state(row)}


def cursor_frame(member: MemberRow, kind: str, seq: int, rev: int) -> Json:
    """read_receipt or delivered_receipt."""
    at = member.read_at if kind == "read_receipt" else member.delivered_at
    return {
        "type": kind,
        "threadId": member.thread_id,
        "rev": rev,
        "userId": member.user_id,
        "messageId": message_id(member.thread_id, seq),
        "seq": seq,
        "at": optional_time(at),
    }


_FRAMES: Final[dict[type[LedgerEvent], Callable[[Any], Json]]] = {
    MessageStored: lambda event: message_frame(event.row, known_rev=event.row.created_rev - 1),
    MessageChanged: lambda event: message_frame(event.row, known_rev=event.row.rev),
    ThreadChanged: lambda event: thread_frame(event.row, event.rev),
    MembershipChanged: lambda event: member_frame(event.row, event.rev),
    CursorMoved: lambda event: cursor_frame(event.member, event.type, event.seq, event.rev),
}


def event_of(event: LedgerEvent) -> Event:
    """The event with its finished frame."""
    frame = _FRAMES[type(event)](event)
    return Event(frame["type"], frame["rev"], encode_json(frame))


def answer_of(outcome: Outcome) -> Answer:
    """The one answer to a command: message_ack or ack when applied, error when refused."""
    command = outcome.command
    if outcome.refusal is not None:
        return refusal_answer(
            command.id, outcome.refusal, ref=command.ref, client_message_id=_client_message_id(outcome)
        )
    if outcome.message is not None:
        return Answer(command.id, True, encode_json(_message_ack(outcome.message)))
    frame: Json = {"type": "ack", "threadId": command.thread_id}
    if outcome.rev is not None:
        frame["rev"] = outcome.rev
    if command.ref is not None:
        frame["ref"] = command.ref
    return Answer(command.id, True, encode_json(frame))


def _client_message_id(outcome: Outcome) -> str | None:
    return outcome.command.client_message_id if isinstance(outcome.command, StoreMessage) else None


def _message_ack(row: MessageRow) -> Json:
    return {
        "type": "message_ack",
        "clientMessageId": row.client_message_id,
        "serverMessageId": row.id,
        "threadId": row.thread_id,
        "seq": row.seq,
        "rev": row.created_rev,
        "createdAt": time_text(row.created_at),
        "status": "sent",
    }


def refusal_answer(
    command_id: CommandId, refusal: Refusal, *, ref: str | None = None, client_message_id: str | None = None
) -> Answer:
    """An error frame with what the code's row says of it."""
    row = ERRORS[ErrorCode(refusal.code)]
    frame: Json = {
        "type": "error",
        "code": refusal.code,
        "message": refusal.message,
        "retryable": row.retryable,
        "fate": row.fate,
    }
    if ref is not None:
        frame["ref"] = ref
    if client_message_id is not None:
        frame["clientMessageId"] = client_message_id
    return Answer(command_id, False, encode_json(frame))

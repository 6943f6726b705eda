"""What a thread is made of, as clients see it: the current state of messages, members and the thread itself.

Promises: each state carries the rev of its last change, so that of two states of the same thing the one with the
higher rev is the later one. Times are UTC, ISO 8601 with milliseconds.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import ClientMessageIdField, MessageIdField, ThreadIdField, UserIdField

Seq = Annotated[int, Field(ge=0, le=2**53 - 1, description="number of a message in its thread, 1, 2, 3 ...")]
Rev = Annotated[int, Field(ge=0, le=2**53 - 1, description="number of a change in its thread, 1, 2, 3 ...")]
Time = Annotated[str, Field(description="UTC, ISO 8601 with milliseconds", examples=["2026-01-31T12:00:00.000Z"])]


class MessageType(StrEnum):
    """What a message is for."""

    TEXT = "text"
    FILE = "file"
    SYSTEM = "system"


class Role(StrEnum):
    """What a member may do: an owner manages the thread, a member writes, a reader reads."""

    OWNER = "owner"
    MEMBER = "member"
    READER = "reader"


class MessageState(Wire):
    """A message as it is now. A deleted one keeps its seq and loses its content."""

    id: MessageIdField
    thread_id: ThreadIdField
    seq: Seq
    rev: Rev
    sender_id: UserIdField
    sender_type: str
    client_message_id: ClientMessageIdField
    content: str
    message_type: MessageType
    edited: bool
    edited_at: Time | None
    deleted: bool
    deleted_at: Time | None
    reply_to_id: MessageIdField | None
    created_at: Time
    updated_at: Time
    attachments: list[dict[str, Any]]
    mentions: list[UserIdField]
    metadata: dict[str, Any] | None


class MemberState(Wire):
    """A member and the two cursors: everything up to `deliveredSeq` has arrived, up to `readSeq` was read."""

    user_id: UserIdField
    user_type: str
    role: Role
    delivered_seq: Seq
    read_seq: Seq
    joined_at: Time
    rev: Rev


class ThreadState(Wire):
    """A thread, its position (`lastSeq`, `rev`) and its members."""

    id: ThreadIdField
    title: str | None
    metadata: dict[str, Any] | None
    created_by: UserIdField
    created_at: Time
    last_seq: Seq
    rev: Rev
    last_message_at: Time | None
    members: list[MemberState]


class ThreadSummary(ThreadState):
    """A thread in the caller's list: with what is unread and the last message."""

    unread: int = Field(ge=0)
    read_seq: Seq
    last_message: MessageState | None

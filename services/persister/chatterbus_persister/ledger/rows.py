"""The rows of the ledger in memory, as plain mutable records with the columns' names.

Times are aware datetimes in UTC, cut to milliseconds, so that a row read back equals the row that was written.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatterbus_contracts.ids import ClientMessageId, MessageId, ThreadId, UserId, message_id
from chatterbus_contracts.states import MessageType, Role


@dataclass(slots=True)
class ThreadRow:
    """A thread. `last_seq` and `last_rev` are the only source of seq and rev; `rev` is that of title and metadata."""

    thread_id: ThreadId
    title: str | None
    metadata: dict[str, Any] | None
    open: bool
    created_by: UserId
    created_at: datetime
    last_seq: int = 0
    last_rev: int = 0
    last_message_at: datetime | None = None
    rev: int = 0


@dataclass(slots=True)
class MemberRow:
    """A member, or a former one (`removed_at`). Each facet keeps the rev of its last change; `rev` is the highest."""

    thread_id: ThreadId
    user_id: UserId
    user_type: str
    role: Role
    joined_at: datetime
    removed_at: datetime | None = None
    delivered_seq: int = 0
    delivered_rev: int = 0
    delivered_at: datetime | None = None
    read_seq: int = 0
    read_rev: int = 0
    read_at: datetime | None = None
    membership_rev: int = 0
    rev: int = 0


@dataclass(slots=True)
class MessageRow:
    """A message. Its place (thread, seq) is its identity."""

    thread_id: ThreadId
    seq: int
    rev: int
    sender_id: UserId
    sender_type: str
    client_message_id: ClientMessageId
    message_type: MessageType
    content: str
    reply_to_seq: int | None
    mentions: list[UserId]
    metadata: dict[str, Any] | None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def id(self) -> MessageId:
        return message_id(self.thread_id, self.seq)

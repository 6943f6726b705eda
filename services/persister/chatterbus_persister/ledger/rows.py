"""The rows of the ledger in memory, as plain mutable records with the columns' names.

Times are aware datetimes in UTC, cut to milliseconds, so that a row read back equals the row that was written.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from chatterbus_contracts.ids import AttachmentId, ClientMessageId, MessageId, ThreadId, UserId, message_id
from chatterbus_contracts.states import MessageType, Role

Reactions = dict[str, list[UserId]]

# Kinds of steps in a member's cursor history.
DELIVERED: Final = 1
READ: Final = 2


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
    member_count: int = 0


@dataclass(slots=True)
class MemberRow:
    """A member, or a former one (`removed_at`). Each public facet keeps the rev of its last change; `rev` is the
    highest. What only the member sees has no rev: `read_seq` itself, the mark, archived, muted, show_receipts."""

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
    shown_read_seq: int = 0
    archived_seq: int | None = None
    muted: bool = False
    show_receipts: bool = True
    marked_unread_seq: int | None = None

    def unread_of(self, last_seq: int) -> int:
        """How many messages are unread: after the read cursor, or from the member's own mark on if that is earlier."""
        read = self.read_seq if self.marked_unread_seq is None else min(self.read_seq, self.marked_unread_seq - 1)
        return last_seq - read

    def is_archived(self, last_seq: int) -> bool:
        """Archived, and nothing came since (a muted thread stays archived)."""
        return self.archived_seq is not None and (self.muted or self.archived_seq >= last_seq)


@dataclass(slots=True)
class MessageRow:
    """A message. Its place (thread, seq) is its identity. `created_rev` is the rev it came with, `rev` that of its
    last change; `revisions` counts its edits."""

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
    reactions: Reactions | None = None
    attachments: list[dict[str, Any]] | None = None
    revisions: int = 0
    created_rev: int = 0

    @property
    def id(self) -> MessageId:
        return message_id(self.thread_id, self.seq)


@dataclass(slots=True)
class AttachmentRow:
    """An uploaded file. `seq` is the message it belongs to, once it does."""

    thread_id: ThreadId
    attachment_id: AttachmentId
    owner_id: UserId
    name: str
    content_type: str
    size_bytes: int
    width: int | None
    height: int | None
    thumbnail: bool
    created_at: datetime
    seq: int | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """What a message said before an edit."""

    thread_id: ThreadId
    seq: int
    revision: int
    content: str
    edited_by: UserId
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class CursorStep:
    """Where a cursor came to stand, for 'who read this, and when'. `kind`: 1 delivered, 2 read."""

    thread_id: ThreadId
    user_id: UserId
    kind: int
    seq: int
    at: datetime

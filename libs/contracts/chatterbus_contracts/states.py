"""What a thread is made of, as clients see it: the current state of messages, members and the thread itself.

Promises: each state carries the rev of its last change, so that of two states of the same thing the one with the
higher rev is the later one. Times are UTC, ISO 8601 with milliseconds.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import AttachmentIdField, ClientMessageIdField, MessageIdField, ThreadIdField, UserIdField

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


class ReactionState(Wire):
    """One emoji under a message, and who put it there."""

    emoji: str
    count: int = Field(ge=1)
    user_ids: list[UserIdField]


class AttachmentState(Wire):
    """A file of a message. `url` is where members download it; `thumbnailUrl` is there for images."""

    id: AttachmentIdField
    name: str
    content_type: str = Field(description="found in the bytes, not believed from the sender")
    size_bytes: int = Field(ge=0)
    width: int | None = Field(description="of an image, in pixels")
    height: int | None = Field(description="of an image, in pixels")
    url: str
    thumbnail_url: str | None


class Quote(Wire):
    """What a reply answers, as far as one line shows it."""

    id: MessageIdField
    sender_id: UserIdField
    content: str = Field(description="the beginning; empty when deleted")
    deleted: bool


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
    attachments: list[AttachmentState]
    mentions: list[UserIdField]
    metadata: dict[str, Any] | None
    reactions: list[ReactionState]
    reply_to: Quote | None = Field(default=None, description="in history only")


class MessagePreview(Wire):
    """A message as one line of an inbox or a notification shows it."""

    id: MessageIdField
    seq: Seq
    sender_id: UserIdField
    sender_type: str
    message_type: MessageType
    content: str = Field(description="the beginning; empty when deleted")
    attachments: int = Field(ge=0, description="how many files come with it")
    deleted: bool
    created_at: Time


class UnreadItem(Wire):
    """What one has not read in a thread: lastSeq - readSeq, or from one's own mark on if that is earlier."""

    thread_id: ThreadIdField
    last_seq: Seq
    read_seq: Seq
    unread: int = Field(ge=0)
    mentions: int = Field(ge=0, description="how many of them mention one")
    muted: bool
    last_message: MessagePreview | None


# How a user is seen: `away` without a sign for some minutes on any device, `dnd` by choice.
PublicStatus = Literal["online", "away", "dnd", "offline"]
Status = Literal["online", "away", "dnd", "offline", "invisible"]  # the last one to oneself only


class PresenceState(Wire):
    """How a user is seen by those who may. `lastSeenAt`: when an offline user was last to be seen; null: never, or
    now."""

    user_id: UserIdField
    status: PublicStatus
    last_seen_at: Time | None


class MemberState(Wire):
    """A member and the two cursors: everything up to `deliveredSeq` has arrived, up to `readSeq` was read, as far as
    the member shows it."""

    user_id: UserIdField
    user_type: str
    role: Role
    delivered_seq: Seq
    read_seq: Seq
    joined_at: Time
    rev: Rev


class OwnState(Wire):
    """What a thread is to the caller alone. Nobody else sees it and it has no rev."""

    read_seq: Seq = Field(description="up to where the caller has read, shown to others or not")
    unread: int = Field(ge=0)
    marked_unread_seq: Seq | None = Field(description="the caller's own mark: unread from here on")
    archived: bool
    muted: bool
    show_receipts: bool


class ThreadState(Wire):
    """A thread, its position (`lastSeq`, `rev`) and its members: the first 500 by user id, and the caller."""

    id: ThreadIdField
    title: str | None
    metadata: dict[str, Any] | None
    created_by: UserIdField
    created_at: Time
    last_seq: Seq
    rev: Rev
    last_message_at: Time | None
    members: list[MemberState]
    member_count: int | None = Field(default=None, description="how many there are, when `members` names only some")
    members_cursor: str | None = Field(
        default=None, description="where GET .../receipts goes on with the others, when `members` names only some"
    )


class ThreadDetail(ThreadState):
    """A thread with what it is to the caller."""

    own: OwnState


class ThreadSummary(ThreadDetail):
    """A thread in the caller's list: with what is unread and the last message."""

    unread: int = Field(ge=0)
    read_seq: Seq
    last_message: MessageState | None


class MessageRevision(Wire):
    """What a message said before an edit."""

    content: str
    edited_by: UserIdField
    replaced_at: Time = Field(description="when the next text took its place")


class MessageReceipt(Wire):
    """One member, and when a message reached and was read by them; null: not yet, or not shown."""

    user_id: UserIdField
    delivered_at: Time | None
    read_at: Time | None

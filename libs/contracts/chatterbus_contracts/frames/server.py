"""Frames a server sends.

Promises: `SERVER_FRAMES` names every frame of this version. A frame with `rev` is a fact about its thread: applied in
rev order it keeps a client's copy true, and a jump in rev is a gap to be filled by asking for the changes since.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from chatterbus_contracts.codec import Wire, decode
from chatterbus_contracts.errors import ErrorCode, Fate
from chatterbus_contracts.ids import ClientMessageIdField, MessageIdField, ThreadIdField, UserIdField
from chatterbus_contracts.states import (
    MemberState,
    MessagePreview,
    MessageState,
    Rev,
    Seq,
    Status,
    ThreadState,
    Time,
    UnreadItem,
)

TYPING_EXPIRES_MS: Final = 3_000


class AuthSuccess(Wire):
    """Who the server takes the client for, and what it may count on."""

    type: Literal["auth_success"] = "auth_success"
    user_id: UserIdField
    user_type: str
    connection_id: str = Field(description="id of this connection, for support and logs")
    protocol_version: int = Field(description="version the server speaks")
    store_epoch: str | None = Field(description="changes when the store was replaced: forget all revs then")
    server_time: Time
    heartbeat_interval_ms: int = Field(description="send something, a ping will do, at least this often")
    token_expires_at: Time | None
    limits: dict[str, int] = Field(description="the limits of this server, by name")


class Subscribed(Wire):
    """The thread's position and members (the first 500 by user id, and the reader). `complete`: everything since the
    asked rev follows, then live events. `page`: what follows reaches `throughRev` only; ask again from there. `reset`:
    the asked rev is of no use (see `reason`); fetch the history anew. Live events are joined in all three cases."""

    type: Literal["subscribed"] = "subscribed"
    thread_id: ThreadIdField
    rev: Rev
    through_rev: Rev = Field(description="what follows this frame is complete up to this rev")
    last_seq: Seq
    members: list[MemberState]
    member_count: int | None = Field(default=None, description="how many there are, when `members` names only some")
    members_cursor: str | None = Field(
        default=None, description="where GET .../receipts goes on with the others, when `members` names only some"
    )
    result: Literal["complete", "page", "reset"] = Field(description="see above")
    reason: str | None = Field(default=None, description="why it is not complete")
    ref: str | None = Field(default=None, description="of the request")


class Unsubscribed(Wire):
    """The thread is not followed any more."""

    type: Literal["unsubscribed"] = "unsubscribed"
    thread_id: ThreadIdField
    ref: str | None = Field(default=None, description="of the request")


class MessageCreated(Wire):
    """A new message."""

    type: Literal["message"] = "message"
    thread_id: ThreadIdField
    rev: Rev
    data: MessageState


class MessageUpdated(Wire):
    """A message changed: its state as it is now."""

    type: Literal["message_updated"] = "message_updated"
    thread_id: ThreadIdField
    rev: Rev
    data: MessageState


class MessageDeleted(Wire):
    """A message was deleted: its tombstone."""

    type: Literal["message_deleted"] = "message_deleted"
    thread_id: ThreadIdField
    rev: Rev
    data: MessageState


class ThreadUpdated(Wire):
    """The thread was created or changed."""

    type: Literal["thread_updated"] = "thread_updated"
    thread_id: ThreadIdField
    rev: Rev
    data: ThreadState


class MemberAdded(Wire):
    """A member joined or got another role."""

    type: Literal["member_added"] = "member_added"
    thread_id: ThreadIdField
    rev: Rev
    data: MemberState


class MemberRemoved(Wire):
    """A member left or was removed."""

    type: Literal["member_removed"] = "member_removed"
    thread_id: ThreadIdField
    rev: Rev
    data: MemberState


class DeliveredReceipt(Wire):
    """Everything up to `seq` has arrived at this member."""

    type: Literal["delivered_receipt"] = "delivered_receipt"
    thread_id: ThreadIdField
    rev: Rev
    user_id: UserIdField
    message_id: MessageIdField
    seq: Seq
    at: Time


class ReadReceipt(Wire):
    """Everything up to `seq` was read by this member."""

    type: Literal["read_receipt"] = "read_receipt"
    thread_id: ThreadIdField
    rev: Rev
    user_id: UserIdField
    message_id: MessageIdField
    seq: Seq
    at: Time


class MessageAck(Wire):
    """`queued`: safely queued, not yet stored. `sent`: committed in PostgreSQL; the other fields are there then."""

    type: Literal["message_ack"] = "message_ack"
    client_message_id: ClientMessageIdField
    thread_id: ThreadIdField
    status: Literal["queued", "sent"] = Field(description="see above")
    server_message_id: MessageIdField | None = None
    seq: Seq | None = None
    rev: Rev | None = None
    created_at: Time | None = None


class Ack(Wire):
    """A request was carried out."""

    type: Literal["ack"] = "ack"
    ref: str | None = Field(default=None, description="of the request")
    thread_id: ThreadIdField | None = None
    rev: Rev | None = None


class TypingNotice(Wire):
    """Somebody is writing; forget it after `expiresInMs` unless it is said again."""

    type: Literal["typing"] = "typing"
    thread_id: ThreadIdField
    user_id: UserIdField
    user_type: str
    is_typing: bool = Field(description="false: stopped")
    expires_in_ms: int = Field(default=TYPING_EXPIRES_MS, description="forget it after this long")


class PresenceNotice(Wire):
    """How a user is seen now. Of oneself: how one is seen, or `invisible`."""

    type: Literal["presence"] = "presence"
    user_id: UserIdField
    status: Status
    last_seen_at: Time | None = Field(description="when an offline user was last to be seen; null: never, or now")
    version: int = Field(ge=0, description="of two for the same user, the higher is the later")


class UnreadNotice(Wire):
    """What one has not read in a thread, and in all. Absolute: of two, the one with the higher version is right."""

    type: Literal["unread"] = "unread"
    thread_id: ThreadIdField
    last_seq: Seq
    read_seq: Seq
    unread: int = Field(ge=0)
    mentions: int = Field(ge=0, description="how many of them mention one")
    muted: bool
    last_message: MessagePreview | None = Field(description="null: not known, or nothing is unread")
    total_unread: int = Field(ge=0, description="over all threads that are not muted")
    version: int = Field(ge=0, description="of two, the higher is the later, snapshots included")


class UnreadSnapshot(Wire):
    """All of it, when one has come online or something was missed: in threads that are not named nothing is unread,
    unless `more` says that only the newest are named."""

    type: Literal["unread_snapshot"] = "unread_snapshot"
    items: list[UnreadItem]
    more: bool
    total_unread: int = Field(ge=0, description="over all threads that are not muted")
    version: int = Field(ge=0, description="of two, the higher is the later, unread notices included")


class Resync(Wire):
    """The server knows that events may be missing: fetch the changes of this thread, or of all of them."""

    type: Literal["resync"] = "resync"
    thread_id: ThreadIdField | None = Field(default=None, description="absent: all threads")
    reason: str = Field(description="for people and logs")


class TokenExpiring(Wire):
    """The token expires soon: send auth with a new one."""

    type: Literal["token_expiring"] = "token_expiring"
    expires_at: Time


class Reconnect(Wire):
    """The gateway is draining: come back after `afterMs` and resume."""

    type: Literal["reconnect"] = "reconnect"
    after_ms: int = Field(description="wait this long first; spread, so that not all come at once")
    resume: bool = Field(default=True, description="the state is kept: subscribe with sinceRev")


class Pong(Wire):
    """The answer to ping."""

    type: Literal["pong"] = "pong"
    id: str | None = Field(default=None, description="of the ping")
    server_time: Time


class Error(Wire):
    """A request was not carried out. `rejected` is final and nothing was stored; `unknown` means: ask again with
    the same id."""

    type: Literal["error"] = "error"
    code: Annotated[ErrorCode, Field(strict=False)]
    message: str = Field(description="for people; may change")
    retryable: bool = Field(description="the same request may be sent again")
    fate: Fate = Field(description="rejected: not stored and never will be; unknown: it may be stored")
    retry_after_ms: int | None = Field(default=None, description="wait this long before the retry")
    ref: str | None = Field(default=None, description="of the request")
    client_message_id: str | None = Field(default=None, description="of the refused message")
    thread_id: str | None = Field(default=None, description="of the request")
    original_message: dict[str, Any] | None = Field(
        default=None, description="the refused frame, as this client sent it"
    )


ServerFrame = (
    AuthSuccess
    | Subscribed
    | Unsubscribed
    | MessageCreated
    | MessageUpdated
    | MessageDeleted
    | ThreadUpdated
    | MemberAdded
    | MemberRemoved
    | DeliveredReceipt
    | ReadReceipt
    | MessageAck
    | Ack
    | TypingNotice
    | PresenceNotice
    | UnreadNotice
    | UnreadSnapshot
    | Resync
    | TokenExpiring
    | Reconnect
    | Pong
    | Error
)

SERVER_FRAMES: Final[dict[str, type[ServerFrame]]] = {
    frame.model_fields["type"].default: frame for frame in ServerFrame.__args__
}

SERVER_FRAME: Final[TypeAdapter[ServerFrame]] = TypeAdapter(Annotated[ServerFrame, Field(discriminator="type")])


def decode_server_frame(data: bytes | str) -> ServerFrame:
    """The frame in `data`, or DecodeError. A client may pass over frames whose type it does not know."""
    return decode(SERVER_FRAME, data)

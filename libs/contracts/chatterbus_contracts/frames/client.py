"""Frames a client sends.

Promises: `CLIENT_FRAMES` names every frame of this version, by its `type`; :func:`decode_client_frame` yields one of
them or raises DecodeError. Identity fields (`senderId`, `readerId`, `userId`) may be absent or must equal the
token's; they are checked by the session, never trusted. Content limits have codes of their own and are not checked
here.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from chatterbus_contracts.codec import Wire, decode
from chatterbus_contracts.ids import (
    AttachmentIdField,
    ClientMessageIdField,
    MessageIdField,
    ThreadIdField,
    UserIdField,
    UserTypeField,
)
from chatterbus_contracts.limits import ATTACHMENTS_MAX, MENTIONS_MAX, WATCHED_USERS_MAX
from chatterbus_contracts.states import MessageType, Rev, Seq
from chatterbus_contracts.text import Emoji, Metadata, Name, Ref, Text

TOKEN_MAX_CHARS: Final = 16_384
TICKET_MAX_CHARS: Final = 128


class Auth(Wire):
    """Says who speaks. Answered by auth_success, or error and close; with `threadId` it also subscribes.
    On an open socket it renews the token. A token or a ticket, not both."""

    type: Literal["auth"] = "auth"
    token: Annotated[str, Field(max_length=TOKEN_MAX_CHARS)] | None = Field(default=None, description="a JWT")
    ticket: Annotated[str, Field(max_length=TICKET_MAX_CHARS)] | None = Field(
        default=None, description="bought with a token at POST /api/auth/ticket; good once, for 30 s"
    )
    user_id: UserIdField | None = Field(default=None, description="the token's user, or (development mode) whoever")
    user_type: UserTypeField | None = None
    name: Name | None = None
    thread_id: ThreadIdField | None = Field(default=None, description="also subscribe to this thread")
    since_rev: Rev | None = Field(default=None, description="the thread's last rev that this client has")
    device_id: UserIdField | None = Field(default=None, description="id of the device, chosen by the client")
    protocol_version: int | None = Field(default=None, description="version the client was written for")


class Subscribe(Wire):
    """Follow a thread. Answered by subscribed; with `sinceRev`, what changed since then comes before live events."""

    type: Literal["subscribe"] = "subscribe"
    thread_id: ThreadIdField
    since_rev: Rev | None = Field(default=None, description="the thread's last rev that this client has")
    ref: Ref | None = None


class Unsubscribe(Wire):
    """Stop following a thread. Answered by unsubscribed."""

    type: Literal["unsubscribe"] = "unsubscribe"
    thread_id: ThreadIdField
    ref: Ref | None = None


class SendMessage(Wire):
    """A message. Answered by message_ack (perhaps `queued` first, then `sent`), or error. The same
    `clientMessageId` again gets the same answer and is stored once."""

    type: Literal["message"] = "message"
    thread_id: ThreadIdField
    content: Text = Field(description="what is said; not blank, unless a file comes with it")
    client_message_id: ClientMessageIdField | None = None
    message_type: Annotated[MessageType, Field(strict=False)] = MessageType.TEXT
    reply_to_id: MessageIdField | None = Field(default=None, description="the message of this thread it answers")
    attachment_ids: Annotated[list[AttachmentIdField], Field(max_length=ATTACHMENTS_MAX)] = Field(default_factory=list)
    mentions: Annotated[list[UserIdField], Field(max_length=MENTIONS_MAX)] = Field(default_factory=list)
    metadata: Metadata | None = None
    sender_id: UserIdField | None = Field(default=None, description="if given, the token's user")
    sender_type: UserTypeField | None = Field(default=None, description="if given, the token's user type")


class Typing(Wire):
    """The user is writing, or stopped. Never answered, never stored."""

    type: Literal["typing"] = "typing"
    thread_id: ThreadIdField
    is_typing: bool = Field(default=True, description="false: stopped")
    user_id: UserIdField | None = Field(default=None, description="if given, the token's user")
    user_type: UserTypeField | None = Field(default=None, description="if given, the token's user type")


class Receipt(Wire):
    """A cursor: everything up to `seq` (or up to `messageId`) has arrived, or was read. Not answered unless wrong."""

    thread_id: ThreadIdField
    message_id: MessageIdField | None = Field(default=None, description="this, or seq")
    seq: Annotated[Seq, Field(ge=1)] | None = None
    reader_id: UserIdField | None = Field(default=None, description="if given, the token's user")
    reader_type: UserTypeField | None = Field(default=None, description="if given, the token's user type")


class SendDelivered(Receipt):
    """Everything up to here has arrived on a device of this user."""

    type: Literal["delivered_receipt"] = "delivered_receipt"


class SendRead(Receipt):
    """Everything up to here was read by this user. Implies delivered."""

    type: Literal["read_receipt"] = "read_receipt"


class EditMessage(Wire):
    """New content for a message of one's own. Answered by ack; members get message_updated."""

    type: Literal["message_edit"] = "message_edit"
    thread_id: ThreadIdField
    message_id: MessageIdField
    content: Text
    ref: Ref | None = None


class DeleteMessage(Wire):
    """Take a message away; its place stays. Answered by ack; members get message_deleted."""

    type: Literal["message_delete"] = "message_delete"
    thread_id: ThreadIdField
    message_id: MessageIdField
    ref: Ref | None = None


class React(Wire):
    """Put an emoji under a message, or take it away. Answered by ack; members get message_updated."""

    type: Literal["reaction"] = "reaction"
    thread_id: ThreadIdField
    message_id: MessageIdField
    emoji: Emoji
    action: Literal["add", "remove"]
    ref: Ref | None = None


class SendMarkUnread(Wire):
    """Unread from `seq` on, for oneself; no receipt moves. Answered by ack."""

    type: Literal["mark_unread"] = "mark_unread"
    thread_id: ThreadIdField
    seq: Annotated[Seq, Field(ge=1)]
    ref: Ref | None = None


class SetPresence(Wire):
    """How to be seen. `away` speaks for this device alone, until it says `online`; `dnd` and `invisible` are the
    user's choice, on all devices and across restarts, until `online`. Answered by ack."""

    type: Literal["presence_set"] = "presence_set"
    status: Literal["online", "away", "dnd", "invisible"]
    ref: Ref | None = None


class WatchPresence(Wire):
    """Hear of these users' presence, in place of those of the last presence_watch. Answered by presence for each, then
    changes. A user that one may not watch looks like one that nobody has ever seen."""

    type: Literal["presence_watch"] = "presence_watch"
    user_ids: Annotated[list[UserIdField], Field(max_length=WATCHED_USERS_MAX)]
    ref: Ref | None = None


class Ping(Wire):
    """A sign of life that a browser can send. Answered by pong with the same id."""

    type: Literal["ping"] = "ping"
    id: Ref | None = Field(default=None, description="comes back in pong")


ClientFrame = (
    Auth
    | Subscribe
    | Unsubscribe
    | SendMessage
    | EditMessage
    | DeleteMessage
    | React
    | Typing
    | SendDelivered
    | SendRead
    | SendMarkUnread
    | SetPresence
    | WatchPresence
    | Ping
)

CLIENT_FRAMES: Final[dict[str, type[ClientFrame]]] = {
    "auth": Auth,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "message": SendMessage,
    "message_edit": EditMessage,
    "message_delete": DeleteMessage,
    "reaction": React,
    "typing": Typing,
    "delivered_receipt": SendDelivered,
    "read_receipt": SendRead,
    "mark_unread": SendMarkUnread,
    "presence_set": SetPresence,
    "presence_watch": WatchPresence,
    "ping": Ping,
}

CLIENT_FRAME: Final[TypeAdapter[ClientFrame]] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="type")])


def decode_client_frame(data: bytes | str) -> ClientFrame:
    """The frame in `data` (one JSON object), or DecodeError with BAD_FRAME or UNKNOWN_TYPE."""
    return decode(CLIENT_FRAME, data)

"""Bodies of the REST interface. The answers are the states and pages of `states` and `queries`.

Promises: the same fields, limits and codes as the frames. A refusal is an RFC 9457 problem with the code beside it.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.errors import ErrorCode, Fate
from chatterbus_contracts.ids import (
    AttachmentIdField,
    ClientMessageIdField,
    MessageIdField,
    ThreadIdField,
    UserIdField,
    UserTypeField,
)
from chatterbus_contracts.limits import ATTACHMENTS_MAX, MEMBERS_PER_CREATE_MAX, MENTIONS_MAX, TOKEN_ID_MAX_CHARS
from chatterbus_contracts.states import MessageType, PresenceState, Seq, Time
from chatterbus_contracts.text import Metadata, Text, Title

PROBLEM_MEDIA_TYPE = "application/problem+json"


class CreateThreadBody(Wire):
    """POST /api/chat/threads. The caller becomes an owner; the same id again gives the same thread."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "order-4711", "title": "Order 4711", "members": [{"userId": "bob", "userType": "user"}]}
            ]
        }
    )

    id: ThreadIdField | None = None
    title: Title | None = None
    metadata: Metadata | None = None
    members: Annotated[list[NewMember], Field(max_length=MEMBERS_PER_CREATE_MAX)] = Field(default_factory=list)


class AddMembersBody(Wire):
    """POST /api/chat/threads/{id}/members."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"members": [{"userId": "carol", "role": "reader"}]}]})

    members: Annotated[list[NewMember], Field(min_length=1, max_length=MEMBERS_PER_CREATE_MAX)]


class SendMessageBody(Wire):
    """POST /api/chat/messages. Give a clientMessageId to make a retry safe."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"threadId": "order-4711", "content": "Hello", "clientMessageId": "a-7f3c"}],
        }
    )

    thread_id: ThreadIdField
    content: Text
    client_message_id: ClientMessageIdField | None = None
    message_type: Annotated[MessageType, Field(strict=False)] = MessageType.TEXT
    reply_to_id: MessageIdField | None = None
    attachment_ids: Annotated[list[AttachmentIdField], Field(max_length=ATTACHMENTS_MAX)] = Field(default_factory=list)
    mentions: Annotated[list[UserIdField], Field(max_length=MENTIONS_MAX)] = Field(default_factory=list)
    metadata: Metadata | None = None
    sender_id: UserIdField | None = None
    sender_type: UserTypeField | None = None


class QueuedMessage(Wire):
    """The body of a 202: safely queued, not yet stored. Ask again with the same clientMessageId."""

    status: str = "queued"
    thread_id: ThreadIdField
    client_message_id: ClientMessageIdField


class MarkReadBody(Wire):
    """POST /api/chat/threads/{id}/mark-read: up to a seq or a message, or up to the last one when both are absent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seq": 7}]})

    seq: Annotated[Seq, Field(ge=1)] | None = None
    message_id: MessageIdField | None = None


class UpdateThreadBody(Wire):
    """PATCH /api/chat/threads/{id}: fields that are present are set, null clears."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Order 4711, shipped"}],
            "anyOf": [{"required": ["title"]}, {"required": ["metadata"]}],
        }
    )

    title: Title | None = None
    metadata: Metadata | None = None


class EditMessageBody(Wire):
    """PATCH /api/chat/messages/{id}."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": "Hello again"}]})

    content: Text


class MarkUnreadBody(Wire):
    """POST /api/chat/threads/{id}/mark-unread: unread from this message on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seq": 6}]})

    seq: Annotated[Seq, Field(ge=1)]


class MuteBody(Wire):
    """POST /api/chat/threads/{id}/mute."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"muted": True}]})

    muted: bool = True


class ReceiptsBody(Wire):
    """PUT /api/chat/threads/{id}/receipts: whether others see how far the caller has read."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"show": False}]})

    show: bool


class Ticket(Wire):
    """The answer to POST /api/auth/ticket: for one `auth` frame, before it expires."""

    ticket: str
    expires_at: Time


class RevokeTokens(Wire):
    """What to take back: one token by its jti, or all of a user's that were issued until now. Exactly one is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": "u-17"}, {"tokenId": "5f0c"}]})

    token_id: Annotated[str, Field(min_length=1, max_length=TOKEN_ID_MAX_CHARS)] | None = None
    user_id: UserIdField | None = None


class Revocation(Wire):
    """What was taken back: the token, or every token of the user that was issued until `revoked_at`."""

    token_id: str | None = None
    user_id: UserIdField | None = None
    revoked_at: Time


class OnlineUsers(Wire):
    """The answer to GET /api/users/online, by user id."""

    items: list[PresenceState]
    next_cursor: str | None


class Problem(Wire):
    """A refusal (RFC 9457). `code`, `retryable` and `fate` mean what they mean in an error frame."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: Annotated[ErrorCode, Field(strict=False)]
    retryable: bool
    fate: Fate
    retry_after_ms: int | None = None

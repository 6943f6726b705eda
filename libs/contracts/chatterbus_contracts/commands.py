"""Commands: requests on the queue. All writes are commands, REST's too.

Promises: a command names its thread, who asks, and which gateway waits for the answer; a parcel is one or more
commands of one partition in one queue message, in order. Decoding a parcel yields each command or, in its place, the
DecodeError that it deserves, so that a poisoned command never hides its neighbours. Does not promise that a command
is allowed: the ledger decides.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from chatterbus_contracts.codec import DecodeError, Wire, decode_object, encode, parse_json
from chatterbus_contracts.ids import (
    AttachmentIdField,
    ClientMessageIdField,
    CommandIdField,
    GatewayIdField,
    MessageIdField,
    ThreadIdField,
    UserIdField,
    UserTypeField,
)
from chatterbus_contracts.limits import MEMBERS_PER_CREATE_MAX
from chatterbus_contracts.states import MessageType, Role, Seq
from chatterbus_contracts.text import Emoji, FileName, Metadata, Text, Title

PARCEL_MAX_COMMANDS: Final = 256
PARCEL_MAX_BYTES: Final = 524_288


class _Command(Wire):
    id: CommandIdField
    thread_id: ThreadIdField
    user_id: UserIdField
    user_type: UserTypeField
    gateway: GatewayIdField | None = Field(default=None, description="who waits for the answer; None: nobody")
    ref: str | None = None


class NewMember(Wire):
    """Somebody to add to a thread."""

    user_id: UserIdField
    user_type: UserTypeField = "user"
    role: Annotated[Role, Field(strict=False)] = Role.MEMBER


class CreateThread(_Command):
    """Create a thread with its members; the caller becomes its owner. Idempotent by id. `open` marks a thread of
    development mode: anyone who creates it again becomes a member."""

    kind: Literal["thread.create"] = "thread.create"
    title: Title | None = None
    metadata: Metadata | None = None
    members: Annotated[list[NewMember], Field(max_length=MEMBERS_PER_CREATE_MAX)] = Field(default_factory=list)
    open: bool = False


class AddMember(_Command):
    """Add a member, or give one another role. For owners."""

    kind: Literal["member.add"] = "member.add"
    member: NewMember


class RemoveMember(_Command):
    """Remove a member (for owners), or leave (anyone, oneself). A thread keeps at least one owner."""

    kind: Literal["member.remove"] = "member.remove"
    member_id: UserIdField


class UpdateThread(_Command):
    """Set title, metadata or both, as `fields` says; null clears. For owners."""

    kind: Literal["thread.update"] = "thread.update"
    fields: Annotated[list[Literal["title", "metadata"]], Field(min_length=1)]
    title: Title | None = None
    metadata: Metadata | None = None


class ChangeOwnState(_Command):
    """The caller's own view of the thread: archived, muted, receipts shown. None: as it is. Takes no rev."""

    kind: Literal["own.change"] = "own.change"
    archived: bool | None = None
    muted: bool | None = None
    show_receipts: bool | None = None


class MarkUnread(_Command):
    """The caller's own mark: unread from `seq` on. Moves no cursor, takes no rev; reading clears it."""

    kind: Literal["own.mark_unread"] = "own.mark_unread"
    seq: Annotated[Seq, Field(ge=1)]


class StoreMessage(_Command):
    """Store a message once per (thread, sender, clientMessageId)."""

    kind: Literal["message.send"] = "message.send"
    client_message_id: ClientMessageIdField
    content: Text
    message_type: Annotated[MessageType, Field(strict=False)] = MessageType.TEXT
    reply_to_id: MessageIdField | None = None
    attachment_ids: list[AttachmentIdField] = Field(default_factory=list)
    mentions: list[UserIdField] = Field(default_factory=list)
    metadata: Metadata | None = None


class ReviseMessage(_Command):
    """New content for a message. The old one is kept as a revision."""

    kind: Literal["message.edit"] = "message.edit"
    message_id: MessageIdField
    content: Text


class RemoveMessage(_Command):
    """Leave a tombstone: content, attachments, reactions and revisions go, the place stays."""

    kind: Literal["message.delete"] = "message.delete"
    message_id: MessageIdField


class SetReaction(_Command):
    """Put one emoji of the caller's under a message (`on`), or take it away. Both can be said again."""

    kind: Literal["reaction.set"] = "reaction.set"
    message_id: MessageIdField
    emoji: Emoji
    on: bool


class RegisterAttachment(_Command):
    """A file was stored and may be attached to a message by its uploader. Forgotten after a day if it is not."""

    kind: Literal["attachment.register"] = "attachment.register"
    attachment_id: AttachmentIdField
    name: FileName
    content_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    width: int | None = None
    height: int | None = None
    thumbnail: bool = False


class MoveCursor(_Command):
    """Move the caller's own cursors forward; never back, never beyond the last message. Reading implies delivered."""

    kind: Literal["cursor.move"] = "cursor.move"
    delivered_seq: Seq | None = None
    read_seq: Seq | None = None


Command = (
    CreateThread
    | UpdateThread
    | AddMember
    | RemoveMember
    | StoreMessage
    | ReviseMessage
    | RemoveMessage
    | SetReaction
    | MoveCursor
    | MarkUnread
    | ChangeOwnState
    | RegisterAttachment
)

COMMANDS: Final[dict[str, type[Command]]] = {
    command.model_fields["kind"].default: command for command in Command.__args__
}

COMMAND: Final[TypeAdapter[Command]] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
_PARCEL: Final[TypeAdapter[list[Command]]] = TypeAdapter(list[Annotated[Command, Field(discriminator="kind")]])


def encode_parcel(commands: list[bytes]) -> bytes:
    """Encoded commands of one partition as one queue message."""
    return b"[" + b",".join(commands) + b"]"


def encode_command(command: Command) -> bytes:
    """One command, as it goes into a parcel."""
    return encode(command)


def decode_parcel(data: bytes) -> list[Command | DecodeError]:
    """The commands of a queue message, in order, each or its DecodeError. Raises DecodeError if it is no parcel."""
    try:
        return list(_PARCEL.validate_json(data))
    except ValidationError:
        values = parse_json(data)
    if not isinstance(values, list):
        raise DecodeError("a parcel is a list of commands")
    return [_decoded(value) for value in values]


def _decoded(value: object) -> Command | DecodeError:
    try:
        return decode_object(COMMAND, value)
    except DecodeError as error:
        return error

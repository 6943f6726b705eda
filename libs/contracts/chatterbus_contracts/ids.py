"""Identifiers: parsed once, at the edge, and typed from there on.

Promises: an id is 1 to 128 characters of ``A-Z a-z 0-9 _ - : @ + = |``, so it can hold a UUID, a ULID, a number or a
provider's ``auth0|...``, and can never hold a subject wildcard, a separator, white space or a control character.
A message's id is its place, ``<threadId>~<seq>``: no index and no lookup table is needed to find it, and applying a
command twice gives the same id. An attachment's id names its thread too, ``<threadId>~f<32 hex digits>``. Does not
promise that an id exists.
"""

import re
from typing import Annotated, Final, NewType

from pydantic import Field, StringConstraints

ID_MAX_CHARS: Final = 128
ID_PATTERN: Final = rf"^[A-Za-z0-9_\-:@+=|]{{1,{ID_MAX_CHARS}}}$"
MESSAGE_ID_PATTERN: Final = rf"^[A-Za-z0-9_\-:@+=|]{{1,{ID_MAX_CHARS}}}~[1-9][0-9]{{0,14}}$"  # < 2**53, as Seq
ATTACHMENT_ID_PATTERN: Final = rf"^[A-Za-z0-9_\-:@+=|]{{1,{ID_MAX_CHARS}}}~f[0-9a-f]{{32}}$"

_ID = re.compile(ID_PATTERN[:-1] + r"\Z")
_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN[:-1] + r"\Z")
_ATTACHMENT_ID = re.compile(ATTACHMENT_ID_PATTERN[:-1] + r"\Z")

ThreadId = NewType("ThreadId", str)
UserId = NewType("UserId", str)
MessageId = NewType("MessageId", str)
ClientMessageId = NewType("ClientMessageId", str)
CommandId = NewType("CommandId", str)
ConnectionId = NewType("ConnectionId", str)
GatewayId = NewType("GatewayId", str)
AttachmentId = NewType("AttachmentId", str)

type_of_id = StringConstraints(pattern=ID_PATTERN)
type_of_message_id = StringConstraints(pattern=MESSAGE_ID_PATTERN)
type_of_attachment_id = StringConstraints(pattern=ATTACHMENT_ID_PATTERN)

# The same types as fields of models: pydantic checks the pattern in its compiled core.
ThreadIdField = Annotated[ThreadId, type_of_id, Field(description="id of a thread")]
UserIdField = Annotated[UserId, type_of_id, Field(description="id of a user, from the embedding product")]
MessageIdField = Annotated[MessageId, type_of_message_id, Field(description="place of a message: `<threadId>~<seq>`")]
ClientMessageIdField = Annotated[
    ClientMessageId, type_of_id, Field(description="chosen by the client; the same one again is the same message")
]
CommandIdField = Annotated[CommandId, type_of_id, Field(description="id of a command")]
GatewayIdField = Annotated[GatewayId, type_of_id, Field(description="id of a gateway process")]
AttachmentIdField = Annotated[AttachmentId, type_of_attachment_id, Field(description="id of an uploaded file")]
UserTypeField = Annotated[str, type_of_id, Field(description="what the product calls this kind of user")]


class InvalidId(ValueError):
    """A text that is no id. Carries what kind of id it should have been, never the text itself."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"not a valid {kind}: 1 to {ID_MAX_CHARS} characters of A-Z a-z 0-9 _ - : @ + = |")
        self.kind = kind


def _checked(text: str, kind: str) -> str:
    if _ID.match(text) is None:
        raise InvalidId(kind)
    return text


def parse_thread_id(text: str) -> ThreadId:
    """The text as a thread id, or InvalidId."""
    return ThreadId(_checked(text, "threadId"))


def parse_user_id(text: str) -> UserId:
    """The text as a user id, or InvalidId."""
    return UserId(_checked(text, "userId"))


def parse_gateway_id(text: str) -> GatewayId:
    """The text as a gateway id, or InvalidId."""
    return GatewayId(_checked(text, "gatewayId"))


def message_id(thread_id: ThreadId, seq: int) -> MessageId:
    """The id of message `seq` (1, 2, ...) of a thread."""
    return MessageId(f"{thread_id}~{seq}")


def split_message_id(text: str) -> tuple[ThreadId, int]:
    """(thread id, seq) of a message id, or InvalidId. The message need not exist."""
    if _MESSAGE_ID.match(text) is None:
        raise InvalidId("messageId")
    thread_id, _, seq = text.rpartition("~")
    return ThreadId(thread_id), int(seq)


def attachment_id(thread_id: ThreadId, unique: str) -> AttachmentId:
    """The id of a file of a thread; `unique` is 32 lower-case hex digits."""
    return AttachmentId(f"{thread_id}~f{unique}")


def split_attachment_id(text: str) -> tuple[ThreadId, AttachmentId]:
    """(thread id, the id itself) of an attachment id, or InvalidId. The file need not exist."""
    if _ATTACHMENT_ID.match(text) is None:
        raise InvalidId("attachmentId")
    return ThreadId(text.rpartition("~")[0]), AttachmentId(text)

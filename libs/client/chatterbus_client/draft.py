"""What is about to be asked, before it leaves.

Promises: what no server would take is refused here, with the code the server would give, so that it neither waits in an
outbox nor costs a connection. Errors name the field and the rule, never the text.
"""

from typing import Any, TypeVar

from pydantic import ValidationError

from chatterbus_client.errors import Refused
from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import EditMessage, SendMessage
from chatterbus_contracts.ids import InvalidId, ThreadId, parse_thread_id, parse_user_id, split_message_id
from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_contracts.text import check_content

T = TypeVar("T", bound=Wire)


def checked_message(values: dict[str, Any]) -> SendMessage:
    """The frame with these fields, or Refused."""
    frame = checked(SendMessage, values)
    _check_content(frame.content, has_attachments=bool(frame.attachment_ids))
    return _fitting(frame)


def checked_edit(values: dict[str, Any]) -> EditMessage:
    """The frame with these fields, or Refused. White space alone is left to the server: it knows of attachments."""
    frame = checked(EditMessage, values)
    _check_content(frame.content, has_attachments=True)
    return _fitting(frame)


def checked(model: type[T], values: dict[str, Any], code: ErrorCode = ErrorCode.BAD_FRAME) -> T:
    """A frame or a body with these fields, or Refused."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused.by_code(code, f"{where}: {first['msg']}") from None


def thread_part(thread_id: str) -> str:
    """A thread id that may be part of an address, or Refused."""
    try:
        return parse_thread_id(thread_id)
    except InvalidId as error:
        raise Refused.by_code(ErrorCode.BAD_REQUEST, str(error)) from None


def user_part(user_id: str) -> str:
    """A user id that may be part of an address, or Refused."""
    try:
        return parse_user_id(user_id)
    except InvalidId as error:
        raise Refused.by_code(ErrorCode.BAD_REQUEST, str(error)) from None


def place_of(message_id: str) -> tuple[ThreadId, int]:
    """Thread and seq of a message id, or Refused."""
    try:
        return split_message_id(message_id)
    except InvalidId as error:
        raise Refused.by_code(ErrorCode.BAD_FRAME, str(error)) from None


def _check_content(content: str, *, has_attachments: bool) -> None:
    try:
        check_content(content, has_attachments=has_attachments)
    except Refusal as refusal:
        raise Refused.by_code(refusal.code, refusal.message) from None


def _fitting(frame: T) -> T:
    if len(encode(frame)) > FRAME_MAX_BYTES:
        raise Refused.by_code(ErrorCode.FRAME_TOO_LARGE, f"the message exceeds {FRAME_MAX_BYTES} bytes")
    return frame

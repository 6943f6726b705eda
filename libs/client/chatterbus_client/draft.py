"""A message before it enters the outbox.

Promises: what no server would take is refused here, with the code the server would give, so that it neither waits in an
outbox nor costs a connection. Errors name the field and the rule, never the text.
"""

from typing import Any

from pydantic import ValidationError

from chatterbus_client.errors import Refused
from chatterbus_contracts.codec import encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_contracts.text import check_content


def checked_message(values: dict[str, Any]) -> SendMessage:
    """The frame with these fields, or Refused."""
    try:
        frame = SendMessage.model_validate(values)
        check_content(frame.content, has_attachments=bool(frame.attachment_ids))
    except Refusal as refusal:
        raise Refused.by_code(refusal.code, refusal.message) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused.by_code(ErrorCode.BAD_FRAME, f"{where}: {first['msg']}") from None
    if len(encode(frame)) > FRAME_MAX_BYTES:
        raise Refused.by_code(ErrorCode.FRAME_TOO_LARGE, f"the message exceeds {FRAME_MAX_BYTES} bytes")
    return frame

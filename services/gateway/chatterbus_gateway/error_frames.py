"""Refusals as error frames. Pure.

Promises: `retryable` and `fate` come from the table of codes; the frame carries whatever lets its sender match it
(`clientMessageId`, `ref`, `threadId`); `originalMessage` echoes only what this client sent, only when it is small, and
never a token or a ticket.
"""

from __future__ import annotations

from typing import Any, Final

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.frames.client import ClientFrame
from chatterbus_contracts.frames.server import Error
from chatterbus_contracts.ids import ThreadId

ECHO_MAX_BYTES: Final = 1_024
_NAMES_MAX_CHARS: Final = 128
_SECRETS: Final = ("token", "ticket")


def error_frame(refusal: Refusal, request: ClientFrame | None) -> Error:
    """The answer to a decoded request (None: to nothing in particular)."""
    fields = {} if request is None else request.model_dump(mode="json", by_alias=True, exclude_none=True)
    return _error(refusal.code, refusal.message, refusal.retry_after_ms, fields)


def decode_error_frame(error: DecodeError, payload: str) -> Error:
    """The answer to bytes that are no frame. It is matched by what can be read of them; a small one is echoed."""
    fields: dict[str, Any] = {}
    try:
        value = parse_json(payload)
    except DecodeError:
        value = None
    if isinstance(value, dict):
        fields = value
    return _error(error.code, error.message, None, fields, echoed=len(payload) <= ECHO_MAX_BYTES)


def lost_thread_frame(refusal: Refusal, thread_id: ThreadId) -> Error:
    """A followed thread is not to be seen any more. It answers nothing, so nothing is echoed."""
    return _error(refusal.code, refusal.message, None, {"threadId": thread_id}, echoed=False)


def _error(
    code: ErrorCode, message: str, retry_after_ms: int | None, fields: dict[str, Any], *, echoed: bool = True
) -> Error:
    row = ERRORS[code]
    return Error(
        code=code,
        message=message,
        retryable=row.retryable,
        fate=row.fate,
        retry_after_ms=retry_after_ms,
        ref=_name(fields, "ref"),
        client_message_id=_name(fields, "clientMessageId"),
        thread_id=_name(fields, "threadId"),
        original_message=_echo(fields) if echoed else None,
    )


def _name(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) and len(value) <= _NAMES_MAX_CHARS else None


def _echo(fields: dict[str, Any]) -> dict[str, Any] | None:
    shown = {key: value for key, value in fields.items() if key not in _SECRETS}
    if not shown:
        return None
    try:
        small = len(encode_json(shown)) <= ECHO_MAX_BYTES
    except ValueError:  # what the decoder lets through and the encoder does not, such as a nesting too deep
        return None
    return shown if small else None

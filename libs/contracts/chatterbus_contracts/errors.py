"""Error codes and close codes: one row each says who sends it, when, and what a client does.

Promises: a code's `retryable`, `fate` and HTTP status never differ between WebSocket and REST. docs/codes.md is
generated from these tables. A message for people may change; the code does not.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Literal

Fate = Literal["rejected", "unknown"]


class ErrorCode(StrEnum):
    """What went wrong, for programs."""

    AUTH_REQUIRED = "AUTH_REQUIRED"
    AUTH_FAILED = "AUTH_FAILED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - a code, not a secret
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105 - a code, not a secret
    IDENTITY_MISMATCH = "IDENTITY_MISMATCH"
    BAD_FRAME = "BAD_FRAME"
    BAD_REQUEST = "BAD_REQUEST"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    FRAME_TOO_LARGE = "FRAME_TOO_LARGE"
    CONTENT_TOO_LONG = "CONTENT_TOO_LONG"
    CONTENT_EMPTY = "CONTENT_EMPTY"
    RATE_LIMITED = "RATE_LIMITED"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    TOO_MANY_IN_FLIGHT = "TOO_MANY_IN_FLIGHT"
    NOT_FOUND = "NOT_FOUND"
    THREAD_NOT_FOUND = "THREAD_NOT_FOUND"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    FORBIDDEN = "FORBIDDEN"
    MESSAGE_NOT_FOUND = "MESSAGE_NOT_FOUND"
    MESSAGE_DELETED = "MESSAGE_DELETED"
    ATTACHMENT_NOT_FOUND = "ATTACHMENT_NOT_FOUND"
    ATTACHMENT_TOO_LARGE = "ATTACHMENT_TOO_LARGE"
    BAD_EMOJI = "BAD_EMOJI"
    TOO_MANY_REACTIONS = "TOO_MANY_REACTIONS"
    LAST_OWNER = "LAST_OWNER"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    REPLY_TARGET_NOT_FOUND = "REPLY_TARGET_NOT_FOUND"
    MESSAGE_PERSIST_FAILED = "MESSAGE_PERSIST_FAILED"
    QUEUE_UNAVAILABLE = "QUEUE_UNAVAILABLE"
    QUEUE_FULL = "QUEUE_FULL"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    PRESENCE_UNAVAILABLE = "PRESENCE_UNAVAILABLE"
    WEBHOOKS_UNAVAILABLE = "WEBHOOKS_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    DRAINING = "DRAINING"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One code: its sender, cause and remedy, whether the same request may be sent again, what became of it."""

    sender: str
    when: str
    client: str
    retryable: bool
    fate: Fate
    status: int


def _final(sender: str, when: str, client: str, status: int) -> ErrorRow:
    return ErrorRow(sender, when, client, retryable=False, fate="rejected", status=status)


def _again(sender: str, when: str, client: str, status: int) -> ErrorRow:
    return ErrorRow(sender, when, client, retryable=True, fate="rejected", status=status)


def _unknown(sender: str, when: str, client: str, status: int) -> ErrorRow:
    return ErrorRow(sender, when, client, retryable=True, fate="unknown", status=status)


_E = ErrorCode
ERRORS: Final[dict[ErrorCode, ErrorRow]] = {
    _E.AUTH_REQUIRED: _final("gateway", "no token came, or another frame before auth", "send auth first", 401),
    _E.AUTH_FAILED: _final("gateway", "the token or ticket is not good, or not for us", "get a new one", 401),
    _E.TOKEN_EXPIRED: _final("gateway", "the token's exp has passed", "get a new token", 401),
    _E.TOKEN_REVOKED: _final("gateway", "the token was taken back before its exp", "get a new token", 401),
    _E.IDENTITY_MISMATCH: _final("gateway", "an identity field differs from the token's", "leave the field out", 403),
    _E.BAD_FRAME: _final("gateway", "the frame is no JSON object, or a field is missing or malformed", "fix it", 400),
    _E.BAD_REQUEST: _final("gateway", "a path, query or body value is missing or malformed", "fix the request", 422),
    _E.UNKNOWN_TYPE: _final("gateway", "the frame's type is not known to this version", "do not send it", 400),
    _E.FRAME_TOO_LARGE: _final("gateway", "a frame or body exceeds the limit", "send less, or an attachment", 413),
    _E.CONTENT_TOO_LONG: _final("gateway", "the content exceeds its limit", "shorten it", 422),
    _E.CONTENT_EMPTY: _final("gateway", "the content is empty or only white space", "write something", 422),
    _E.RATE_LIMITED: _again("gateway", "too many frames in a short time", "wait retryAfterMs", 429),
    _E.TOO_MANY_CONNECTIONS: _again("gateway", "a cap on connections is reached", "close one, or wait", 429),
    _E.TOO_MANY_SUBSCRIPTIONS: _final("gateway", "this connection follows its maximum of threads", "unsubscribe", 429),
    _E.TOO_MANY_IN_FLIGHT: _again("gateway", "too many requests wait for their answer", "wait retryAfterMs", 429),
    _E.NOT_FOUND: _final("gateway", "there is no such route", "check the address", 404),
    _E.THREAD_NOT_FOUND: _final("persister", "no such thread, or none that this user may see", "forget it", 404),
    _E.NOT_A_MEMBER: _final("persister", "the user was a member once and is not now", "forget the thread", 403),
    _E.FORBIDDEN: _final("persister", "the member's role or the token's scope does not allow it", "do not retry", 403),
    _E.MESSAGE_NOT_FOUND: _final("persister", "no such message, or none that this user may see", "forget it", 404),
    _E.MESSAGE_DELETED: _final("persister", "the message was deleted; its place stays", "forget its content", 409),
    _E.ATTACHMENT_NOT_FOUND: _final("persister", "no such file, or not one that may be used here", "upload it", 404),
    _E.ATTACHMENT_TOO_LARGE: _final("gateway", "the file exceeds the limit", "send a smaller one", 413),
    _E.BAD_EMOJI: _final("gateway", "a reaction is one emoji and nothing else", "send one emoji", 422),
    _E.TOO_MANY_REACTIONS: _final("persister", "the message has its maximum of reactions", "do not retry", 409),
    _E.LAST_OWNER: _final("persister", "a thread keeps at least one owner", "make somebody else owner first", 409),
    _E.STORAGE_UNAVAILABLE: _again("gateway", "the file storage can not be reached", "try again later", 503),
    _E.REPLY_TARGET_NOT_FOUND: _final("persister", "replyToId names no message of this thread", "drop replyToId", 422),
    _E.MESSAGE_PERSIST_FAILED: _final("persister", "the command can not be applied, now or later", "report it", 500),
    _E.QUEUE_UNAVAILABLE: _again("gateway", "the queue can not be reached", "send again, same clientMessageId", 503),
    _E.QUEUE_FULL: _again("gateway", "the queue holds its maximum", "wait retryAfterMs, send again", 503),
    _E.STORE_UNAVAILABLE: _again("gateway", "nobody answers queries in time", "ask again later", 503),
    _E.PRESENCE_UNAVAILABLE: _again("gateway", "nobody who keeps presence answers in time", "ask again later", 503),
    _E.WEBHOOKS_UNAVAILABLE: _again("gateway", "nobody who delivers webhooks answers", "ask again later", 503),
    _E.TIMEOUT: _unknown(
        "gateway", "no answer in time; it may still be stored", "send again, same clientMessageId", 504
    ),
    _E.DRAINING: _again("gateway", "the gateway is shutting down", "reconnect and send again", 503),
    _E.INTERNAL: _unknown("gateway", "a fault of ours", "send again, same clientMessageId", 500),
}


class CloseCode(IntEnum):
    """Why the server ends a connection. 4000-4499: reconnect and resume. 4500-4999: do not."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    MESSAGE_TOO_BIG = 1009
    DRAINING = 4000
    SLOW_CONSUMER = 4008
    RESYNC_NEEDED = 4009
    HEARTBEAT_MISSED = 4010
    INTERNAL = 4011
    RATE_LIMITED = 4029
    AUTH_FAILED = 4501
    TOKEN_EXPIRED = 4502
    PROTOCOL_VIOLATION = 4503
    TOO_MANY_CONNECTIONS = 4504
    AUTH_TIMEOUT = 4505


@dataclass(frozen=True, slots=True)
class CloseRow:
    """One close code: its cause, what a client does, and whether it comes back by itself."""

    when: str
    client: str
    reconnect: bool


CLOSES: Final[dict[CloseCode, CloseRow]] = {
    CloseCode.NORMAL: CloseRow("the client said goodbye", "nothing", reconnect=False),
    CloseCode.PROTOCOL_ERROR: CloseRow("bytes that are no WebSocket frames", "fix the client", reconnect=False),
    CloseCode.UNSUPPORTED_DATA: CloseRow("a binary frame came", "send text frames", reconnect=False),
    CloseCode.INVALID_TEXT: CloseRow("a text frame was not UTF-8", "send UTF-8", reconnect=False),
    CloseCode.MESSAGE_TOO_BIG: CloseRow("a frame exceeded the limit", "send less", reconnect=False),
    CloseCode.DRAINING: CloseRow("the gateway is shutting down", "reconnect after afterMs, resume", reconnect=True),
    CloseCode.SLOW_CONSUMER: CloseRow("the client read too slowly", "reconnect, resume by rev", reconnect=True),
    CloseCode.RESYNC_NEEDED: CloseRow("the gateway lost its place", "reconnect, resume by rev", reconnect=True),
    CloseCode.HEARTBEAT_MISSED: CloseRow("nothing was heard for too long", "reconnect, resume by rev", reconnect=True),
    CloseCode.INTERNAL: CloseRow("a fault of ours", "reconnect with backoff, resume by rev", reconnect=True),
    CloseCode.RATE_LIMITED: CloseRow("the flood went on after RATE_LIMITED", "reconnect with backoff", reconnect=True),
    CloseCode.AUTH_FAILED: CloseRow("auth was refused", "get a new token first", reconnect=False),
    CloseCode.TOKEN_EXPIRED: CloseRow("the token expired or was revoked", "get a new token first", reconnect=False),
    CloseCode.PROTOCOL_VIOLATION: CloseRow("frames that make no sense kept coming", "fix the client", reconnect=False),
    CloseCode.TOO_MANY_CONNECTIONS: CloseRow("a cap on connections is reached", "close one first", reconnect=False),
    CloseCode.AUTH_TIMEOUT: CloseRow("no auth came in time", "send auth at once", reconnect=False),
}


class Refusal(Exception):
    """A request that is answered with a code. Raised by pure rules; the shells turn it into a frame or a response."""

    def __init__(self, code: ErrorCode, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms

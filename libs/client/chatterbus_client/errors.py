"""What can go wrong, as a caller sees it.

Promises: a Refused carries the server's code, whether the same request may be sent again, and its fate; everything
else says that no answer came. No error holds message text or a token.
"""

from typing import Self

from chatterbus_contracts.errors import ERRORS, ErrorCode, Fate
from chatterbus_contracts.frames.server import Error
from chatterbus_contracts.rest import Problem


class Refused(Exception):
    """The request was answered by a refusal. `fate` "rejected": nothing was stored. "unknown": it may have been."""

    def __init__(
        self, code: ErrorCode, message: str, *, retryable: bool, fate: Fate, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.fate: Fate = fate
        self.retry_after_ms = retry_after_ms

    @classmethod
    def by_code(cls, code: ErrorCode, message: str) -> Self:
        """A refusal with what the table says about its code."""
        row = ERRORS[code]
        return cls(code, message, retryable=row.retryable, fate=row.fate)

    @classmethod
    def by_frame(cls, frame: Error) -> Self:
        """An error frame."""
        return cls(
            frame.code,
            frame.message,
            retryable=frame.retryable,
            fate=frame.fate,
            retry_after_ms=frame.retry_after_ms,
        )

    @classmethod
    def by_problem(cls, problem: Problem) -> Self:
        """A REST problem."""
        return cls(
            problem.code,
            problem.detail,
            retryable=problem.retryable,
            fate=problem.fate,
            retry_after_ms=problem.retry_after_ms,
        )


class Unreachable(Exception):
    """No answer: nobody listens at the URL, the network is gone, or the deadline passed."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.url = url
        self.reason = reason


class NotConnected(Unreachable):
    """There was no connection in time, so the request never left: nothing happened."""


class NoToken(Exception):
    """The application's token callback raised, or took too long."""


class ClientClosed(Exception):
    """The client was closed, or the server told it not to come back (`code`: the close code)."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class NotYetSent(Exception):
    """`send` waited its time. The message stays in the outbox and is still being sent under `client_message_id`."""

    def __init__(self, client_message_id: str) -> None:
        super().__init__(f"message {client_message_id} is not stored yet; it stays in the outbox")
        self.client_message_id = client_message_id


class OutboxFull(Exception):
    """The outbox holds its maximum: wait until some of it was sent."""

    def __init__(self, maximum: int) -> None:
        super().__init__(f"the outbox holds its maximum of {maximum} messages")
        self.maximum = maximum


class OutboxBusy(Exception):
    """Another client uses this outbox: it would send everything twice, and out of order."""

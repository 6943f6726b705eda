"""What can go wrong on the link to NATS, and what became of the message.

Every error raised by `publish` means that the message was not sent. An error out of an awaited reply says nothing about
whether the other side acted.
"""

from __future__ import annotations


class LinkError(Exception):
    """Something the link could not do."""


class LinkDown(LinkError):
    """Not connected, or the connection went while an answer was awaited."""


class LinkFull(LinkError):
    """The un-sent backlog is at its bound: NATS takes less than is published."""

    def __init__(self, backlog: int, bound: int) -> None:
        super().__init__(f"backlog is {backlog} of {bound}")
        self.backlog = backlog
        self.bound = bound


class PayloadTooLarge(LinkError):
    """Headers and payload are more than the server's `max_payload`; it would close the connection."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{size_bytes} bytes, the server takes {limit_bytes}")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class BadSubject(LinkError, ValueError):
    """Empty, or with white space: a line break would let a caller write protocol commands."""


class BadHeader(LinkError, ValueError):
    """A header name outside RFC 7230's token characters."""


class NoResponders(LinkError):
    """NATS says nobody listens on the subject: nothing was done, and a retry may find somebody."""

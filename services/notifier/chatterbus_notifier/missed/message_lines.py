"""The new messages among what is announced on a thread's subject, found by their headers; when it was. Pure.

Promises: frames are not parsed, so what is of no interest costs next to nothing.
"""

from __future__ import annotations

from typing import Final

HEADER: Final = b"message "
LATER_HEADER: Final = b"\nmessage "
NANOSECONDS: Final = 1_000_000_000


def has_message(envelope: bytes) -> bool:
    """Whether a line of it is a `message` event. JSON holds no raw line break, so a header is no part of a frame."""
    return envelope.startswith(HEADER) or LATER_HEADER in envelope


def message_frames(envelope: bytes) -> list[bytes]:
    """The frames of its `message` events, in order; ``message <rev> <frame>`` (contracts.envelopes)."""
    return [
        line.split(b" ", 2)[2] for line in envelope.split(b"\n") if line.startswith(HEADER) and line.count(b" ") > 1
    ]


def stored_at_s(reply: str) -> float:
    """When JetStream stored a delivered message, in unix seconds, of its reply subject in either form (ADR-15)."""
    return int(reply.split(".")[7 if reply.count(".") == 8 else 9]) / NANOSECONDS

"""What became of a command: the events it caused, and the frame that answers it.

Promises: an applied command carries the positions of its answer; a refused one carries its code and changed nothing.
An event holds a snapshot: the row may move on within the batch, what is told of a rev does not.
"""

from dataclasses import dataclass, field

from chatterbus_contracts.commands import Command
from chatterbus_contracts.errors import Refusal
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow


@dataclass(frozen=True, slots=True)
class MessageStored:
    """Event: a new message."""

    row: MessageRow


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """Event: a message was edited, deleted, or reacted to."""

    row: MessageRow


@dataclass(frozen=True, slots=True)
class ThreadChanged:
    """Event: the thread was created, or its title or metadata changed."""

    row: ThreadRow
    rev: int


@dataclass(frozen=True, slots=True)
class MembershipChanged:
    """Event: a member was added, got another role, or is one no more (the row's `removed_at` says which)."""

    row: MemberRow
    rev: int


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """Event: one of a member's cursors moved to `seq`."""

    member: MemberRow
    type: str  # delivered_receipt or read_receipt
    seq: int
    rev: int


LedgerEvent = MessageStored | MessageChanged | ThreadChanged | MembershipChanged | CursorMoved


@dataclass(slots=True)
class Outcome:
    """One command and what became of it: `message` or `rev` for the ack, or `refusal`. `own` is the member whose own
    state changed, or may have, in a way that no event tells; it is the row itself, to be told as the batch left it."""

    command: Command
    events: list[LedgerEvent] = field(default_factory=list)
    message: MessageRow | None = None
    rev: int | None = None
    refusal: Refusal | None = None
    own: MemberRow | None = None

"""What is said again about a command that was applied before a crash and perhaps never announced.

Promises: `ECHOES` has one entry per command; an echo reads rows and changes none; it tells the current state, under
the current rev, so a receiver that saw the event drops it and one that did not is repaired. A command whose trace is
not in the rows was refused, or never got here: nothing is said, and its sender asks again.
"""

from collections.abc import Callable
from typing import Any, Final

from chatterbus_contracts.commands import AddMember, Command, CreateThread, MoveCursor, StoreMessage
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.outcome import (
    CursorMoved,
    LedgerEvent,
    MemberJoined,
    MessageStored,
    Outcome,
    ThreadChanged,
)
from chatterbus_persister.ledger.working_set import WorkingSet

Echo = Callable[[WorkingSet, Any], Outcome | None]


def echo_thread(rows: WorkingSet, command: CreateThread) -> Outcome | None:
    """The thread and the members that the command named."""
    thread = rows.threads.get(command.thread_id)
    member = rows.members.get((command.thread_id, command.user_id))
    if thread is None or member is None or member.removed_at is not None:
        return None
    events: list[LedgerEvent] = [ThreadChanged(thread, thread.rev)]
    named = dict.fromkeys([*(new.user_id for new in command.members), command.user_id])
    events += [joined for user_id in named if (joined := _member(rows, command, user_id)) is not None]
    return Outcome(command, events, rev=thread.last_rev)


def echo_member(rows: WorkingSet, command: AddMember) -> Outcome | None:
    """The member as he is now. Nobody but an owner can have added him."""
    caller = rows.members.get((command.thread_id, command.user_id))
    if caller is None or caller.removed_at is not None or caller.role is not Role.OWNER:
        return None
    joined = _member(rows, command, command.member.user_id)
    return None if joined is None else Outcome(command, [joined], rev=joined.rev)


def _member(rows: WorkingSet, command: Command, user_id: UserId) -> MemberJoined | None:
    member = rows.members.get((command.thread_id, user_id))
    return None if member is None or member.removed_at is not None else MemberJoined(member, member.membership_rev)


def echo_message(rows: WorkingSet, command: StoreMessage) -> Outcome | None:
    """The message as it is now."""
    row = rows.sends.get((command.thread_id, command.user_id, command.client_message_id))
    return None if row is None else Outcome(command, [MessageStored(row)], message=row)


def echo_cursor(rows: WorkingSet, command: MoveCursor) -> Outcome | None:
    """Where the member's cursors stand."""
    member = rows.members.get((command.thread_id, command.user_id))
    if member is None or member.removed_at is not None:
        return None
    events: list[LedgerEvent] = []
    if member.read_seq:
        events.append(CursorMoved(member, "read_receipt", member.read_seq, member.read_rev))
    if member.delivered_seq > member.read_seq:
        events.append(CursorMoved(member, "delivered_receipt", member.delivered_seq, member.delivered_rev))
    return Outcome(command, events, rev=member.rev)


ECHOES: Final[dict[type[Command], Echo]] = {
    CreateThread: echo_thread,
    AddMember: echo_member,
    StoreMessage: echo_message,
    MoveCursor: echo_cursor,
}

"""What is said again about a command that was applied before a crash and perhaps never announced.

Promises: `ECHOES` has one entry per command; an echo reads rows and changes none; it tells the current state, under
the current rev, so a receiver that saw the event drops it and one that did not is repaired. Only a command whose
effect is to be seen in the rows, and which its sender may give now, is answered: any other was refused, or undone
since, or never got here, and its sender asks again. A member's own state is told again, answered or not, wherever the
command could have changed it without an event: whether it did is not to be seen any more.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from chatterbus_contracts.commands import (
    AddMember,
    ChangeOwnState,
    Command,
    CreateThread,
    MarkUnread,
    MoveCursor,
    RegisterAttachment,
    RemoveMember,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
    StoreMessage,
    UpdateThread,
)
from chatterbus_contracts.ids import UserId, split_message_id
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.outcome import (
    CursorMoved,
    LedgerEvent,
    MembershipChanged,
    MessageChanged,
    MessageStored,
    Outcome,
    ThreadChanged,
)
from chatterbus_persister.ledger.rows import MemberRow, MessageRow
from chatterbus_persister.ledger.rules import WRITERS
from chatterbus_persister.ledger.thread_commands import described_as
from chatterbus_persister.ledger.working_set import Keys, WorkingSet

Echo = Callable[[WorkingSet, Any], Outcome | None]


def _caller(rows: WorkingSet, command: Command) -> MemberRow | None:
    """The sender, if he is a member still. Nobody else is answered: he may have been refused."""
    member = rows.members.get((command.thread_id, command.user_id))
    return None if member is None or member.removed_at is not None else member


def _is_owner(caller: MemberRow | None) -> bool:
    return caller is not None and caller.role is Role.OWNER


def echo_thread(rows: WorkingSet, command: CreateThread) -> Outcome | None:
    """The thread and the members that the command named."""
    thread = rows.threads.get(command.thread_id)
    if thread is None or _caller(rows, command) is None:
        return None
    events: list[LedgerEvent] = [ThreadChanged(thread, thread.rev)]
    named = dict.fromkeys([*(new.user_id for new in command.members), command.user_id])
    events += [joined for user_id in named if (joined := _membership(rows, command, user_id)) is not None]
    return Outcome(command, events, rev=thread.last_rev)


def echo_update(rows: WorkingSet, command: UpdateThread) -> Outcome | None:
    """The thread, if it is described as the command wanted."""
    thread = rows.threads.get(command.thread_id)
    if thread is None or not _is_owner(_caller(rows, command)) or not described_as(thread, command):
        return None
    return Outcome(command, [ThreadChanged(thread, thread.rev)], rev=thread.rev)


def echo_added(rows: WorkingSet, command: AddMember) -> Outcome | None:
    """The member, if he has the role that the command gave."""
    caller = _caller(rows, command)
    told = _membership(rows, command, command.member.user_id)
    if told is None or told.row.removed_at is not None or told.row.role is not command.member.role:
        return None
    if _is_owner(caller):
        return Outcome(command, [told], rev=told.rev)
    if told.row is caller:
        # An owner who stepped down, or a member who was refused: the event is told, and nobody is answered.
        return Outcome(command.model_copy(update={"gateway": None}), [told])
    return None


def echo_removed(rows: WorkingSet, command: RemoveMember) -> Outcome | None:
    """The former member, who may have left by himself."""
    told = _membership(rows, command, command.member_id)
    if told is None or told.row.removed_at is None:
        return None
    if command.member_id != command.user_id and not _is_owner(_caller(rows, command)):
        return None
    return Outcome(command, [told], rev=told.rev)


def _membership(rows: WorkingSet, command: Command, user_id: UserId) -> MembershipChanged | None:
    member = rows.members.get((command.thread_id, user_id))
    return None if member is None else MembershipChanged(member, member.membership_rev)


def echo_message(rows: WorkingSet, command: StoreMessage) -> Outcome | None:
    """The message as it is now."""
    row = rows.sends.get((command.thread_id, command.user_id, command.client_message_id))
    if row is None:
        return None
    told = MessageStored(row) if row.rev == row.created_rev else MessageChanged(row)
    return Outcome(command, [told], message=row, own=_caller(rows, command))


def echo_revision(rows: WorkingSet, command: ReviseMessage) -> Outcome | None:
    """The message, if it says what the edit wanted."""
    return _changed_message(
        rows,
        command,
        lambda row, caller: (
            row.deleted_at is None
            and row.content == command.content
            and _is_author(row, caller, or_owner=rows.policy.owners_may_edit)
        ),
    )


def echo_removal(rows: WorkingSet, command: RemoveMessage) -> Outcome | None:
    """The tombstone."""
    return _changed_message(
        rows, command, lambda row, caller: row.deleted_at is not None and _is_author(row, caller, or_owner=True)
    )


def echo_reaction(rows: WorkingSet, command: SetReaction) -> Outcome | None:
    """The message, if the emoji is there, or not, as the command wanted."""
    return _changed_message(
        rows,
        command,
        lambda row, caller: (
            row.deleted_at is None and (caller.user_id in (row.reactions or {}).get(command.emoji, ())) == command.on
        ),
    )


def _is_author(row: MessageRow, caller: MemberRow, *, or_owner: bool) -> bool:
    return row.sender_id == caller.user_id or (or_owner and caller.role is Role.OWNER)


def _changed_message(
    rows: WorkingSet,
    command: ReviseMessage | RemoveMessage | SetReaction,
    holds: Callable[[MessageRow, MemberRow], bool],
) -> Outcome | None:
    caller = _caller(rows, command)
    if caller is None or caller.role not in WRITERS:
        return None
    row = rows.messages.get(split_message_id(command.message_id))
    if row is None or row.thread_id != command.thread_id or row.rev == row.created_rev or not holds(row, caller):
        return None
    return Outcome(command, [MessageChanged(row)], rev=row.rev)


def echo_cursor(rows: WorkingSet, command: MoveCursor) -> Outcome | None:
    """Where the member's shown cursors stand. A cursor that a message of the member's own moved has the message's rev
    and is told by it: told first, it would make receivers pass over the message."""
    member = _caller(rows, command)
    if member is None:
        return None
    events: list[LedgerEvent] = []
    if member.read_rev and not _moved_by_message(rows, member):
        events.append(CursorMoved(member, "read_receipt", member.shown_read_seq, member.read_rev))
    if member.delivered_seq > member.shown_read_seq and member.delivered_rev:
        events.append(CursorMoved(member, "delivered_receipt", member.delivered_seq, member.delivered_rev))
    return Outcome(command, events, rev=member.rev, own=None if command.read_seq is None else member)


def keys_behind(rows: WorkingSet, commands: Iterable[Command]) -> Keys:
    """The messages at which the cursors of these commands' members stand: `echo_cursor` needs them loaded."""
    keys = Keys()
    for command in commands:
        member = rows.members.get((command.thread_id, command.user_id))
        if isinstance(command, MoveCursor) and member is not None and member.shown_read_seq:
            keys.messages[(member.thread_id, member.shown_read_seq)] = None
    return keys


def _moved_by_message(rows: WorkingSet, member: MemberRow) -> bool:
    message = rows.messages.get((member.thread_id, member.shown_read_seq))
    return message is not None and message.sender_id == member.user_id and message.created_rev == member.read_rev


def echo_own_state(rows: WorkingSet, command: ChangeOwnState | MarkUnread) -> Outcome | None:
    """Confirmed if it is so. Told in any case: what a later command undid need not be all that this one did."""
    member = _caller(rows, command)
    if member is None:
        return None
    own = None if isinstance(command, ChangeOwnState) and command.muted is None else member
    if _is_so(member, command):
        return Outcome(command, own=own)
    return None if own is None else Outcome(command.model_copy(update={"gateway": None}), own=own)


def _is_so(member: MemberRow, command: ChangeOwnState | MarkUnread) -> bool:
    if isinstance(command, MarkUnread):
        return member.marked_unread_seq == command.seq
    return (
        command.archived in (None, member.archived_seq is not None)
        and command.muted in (None, member.muted)
        and command.show_receipts in (None, member.show_receipts)
    )


def echo_attachment(rows: WorkingSet, command: RegisterAttachment) -> Outcome | None:
    """The file is known, and its uploader may attach it."""
    caller = _caller(rows, command)
    file = rows.attachments.get((command.thread_id, command.attachment_id))
    may_attach = caller is not None and caller.role in WRITERS
    return Outcome(command) if may_attach and file is not None and file.owner_id == command.user_id else None


ECHOES: Final[dict[type[Command], Echo]] = {
    CreateThread: echo_thread,
    UpdateThread: echo_update,
    AddMember: echo_added,
    RemoveMember: echo_removed,
    StoreMessage: echo_message,
    ReviseMessage: echo_revision,
    RemoveMessage: echo_removal,
    SetReaction: echo_reaction,
    MoveCursor: echo_cursor,
    MarkUnread: echo_own_state,
    ChangeOwnState: echo_own_state,
    RegisterAttachment: echo_attachment,
}

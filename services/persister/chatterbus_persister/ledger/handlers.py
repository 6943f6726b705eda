"""One handler per command: check everything, then change the rows.

Promises: `HANDLERS` has exactly one entry per command of the contracts; a handler that refuses has changed nothing; a
command applied again changes nothing and answers the same. Every change takes the thread's next rev; a message also
takes its next seq. A sender has read what he sends: his cursor moves with the message, under the message's rev.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from chatterbus_contracts.commands import AddMember, Command, CreateThread, MoveCursor, NewMember, StoreMessage
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import MessageId, split_message_id
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.outcome import (
    CursorMoved,
    LedgerEvent,
    MemberJoined,
    MessageStored,
    Outcome,
    ThreadChanged,
)
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.ledger.rules import member_of, require_owner, require_writer
from chatterbus_persister.ledger.working_set import WorkingSet

Handler = Callable[[WorkingSet, Any, datetime], Outcome]


def create_thread(rows: WorkingSet, command: CreateThread, at: datetime) -> Outcome:
    """Create the thread with its members, or find it. An open thread takes in whoever creates it again."""
    thread = rows.threads.get(command.thread_id)
    if thread is not None:
        return _create_again(rows, command, thread, at)
    thread = ThreadRow(command.thread_id, command.title, command.metadata, command.open, command.user_id, at)
    rows.add_thread(thread)
    thread.rev = rows.next_rev(thread)
    events: list[LedgerEvent] = [ThreadChanged(thread, thread.rev)]
    owner = NewMember(user_id=command.user_id, user_type=command.user_type, role=Role.OWNER)
    members = {member.user_id: member for member in (*command.members, owner)}
    events.extend(_join(rows, thread, member, at) for member in members.values())
    return Outcome(command, events, rev=thread.last_rev)


def _create_again(rows: WorkingSet, command: CreateThread, thread: ThreadRow, at: datetime) -> Outcome:
    member = rows.members.get((thread.thread_id, command.user_id))
    if member is not None and member.removed_at is None:
        return Outcome(command, rev=thread.last_rev)
    if thread.open and command.open:
        joined = _join(rows, thread, NewMember(user_id=command.user_id, user_type=command.user_type), at)
        return Outcome(command, [joined], rev=thread.last_rev)
    raise Refusal(ErrorCode.FORBIDDEN, "this thread id is taken")


def add_member(rows: WorkingSet, command: AddMember, at: datetime) -> Outcome:
    """Add a member, take a former one back, or change a role. For owners."""
    thread, caller = member_of(rows, command.thread_id, command.user_id)
    require_owner(caller)
    known = rows.members.get((command.thread_id, command.member.user_id))
    if known is not None and known.removed_at is None and known.role is command.member.role:
        return Outcome(command, rev=known.membership_rev)
    joined = _join(rows, thread, command.member, at)
    return Outcome(command, [joined], rev=joined.rev)


def _join(rows: WorkingSet, thread: ThreadRow, new: NewMember, at: datetime) -> MemberJoined:
    rev = rows.next_rev(thread)
    member = rows.members.get((thread.thread_id, new.user_id))
    if member is None:
        member = MemberRow(thread.thread_id, new.user_id, new.user_type, new.role, at)
        rows.add_member(member)
    else:
        member.role, member.user_type = new.role, new.user_type
        if member.removed_at is not None:
            member.removed_at, member.joined_at = None, at
        rows.touch_member(member)
    member.rev = member.membership_rev = rev
    return MemberJoined(replace(member), rev)


def store_message(rows: WorkingSet, command: StoreMessage, at: datetime) -> Outcome:
    """Store a message once per (thread, sender, clientMessageId); again, it answers with what is stored."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    stored = rows.sends.get((command.thread_id, command.user_id, command.client_message_id))
    if stored is not None:
        return Outcome(command, message=stored)
    require_writer(member)
    reply_to_seq = _reply_target(thread, command.reply_to_id)
    thread.last_seq += 1
    thread.last_message_at = at
    rev = rows.next_rev(thread)
    row = MessageRow(
        command.thread_id,
        thread.last_seq,
        rev,
        command.user_id,
        command.user_type,
        command.client_message_id,
        command.message_type,
        command.content,
        reply_to_seq,
        command.mentions,
        command.metadata,
        at,
    )
    rows.add_message(row)
    member.read_seq = member.delivered_seq = row.seq
    member.read_at = member.delivered_at = at
    member.read_rev = member.delivered_rev = member.rev = rev
    rows.touch_member(member)
    return Outcome(command, [MessageStored(row)], message=row)


def _reply_target(thread: ThreadRow, target: MessageId | None) -> int | None:
    # Messages are gapless and never vanish, so a target exists exactly when its number was given out.
    if target is None:
        return None
    thread_id, seq = split_message_id(target)
    if thread_id != thread.thread_id or seq > thread.last_seq:
        raise Refusal(ErrorCode.REPLY_TARGET_NOT_FOUND, "replyToId names no message of this thread")
    return seq


def move_cursor(rows: WorkingSet, command: MoveCursor, at: datetime) -> Outcome:
    """Move the caller's cursors forward, clamped to the last message. Standing still is not an event."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    read = min(command.read_seq or 0, thread.last_seq)
    delivered = max(min(command.delivered_seq or 0, thread.last_seq), read)
    events: list[LedgerEvent] = []
    if read > member.read_seq:
        member.read_seq, member.read_at = read, at
        member.read_rev = member.rev = rows.next_rev(thread)
        events.append(CursorMoved(replace(member), "read_receipt", read, member.read_rev))
    if delivered > member.delivered_seq:
        member.delivered_seq, member.delivered_at = delivered, at
        if delivered == member.read_seq and events:
            # Reading implies delivered: one change, one event.
            member.delivered_rev = member.read_rev
        else:
            member.delivered_rev = member.rev = rows.next_rev(thread)
            events.append(CursorMoved(replace(member), "delivered_receipt", delivered, member.delivered_rev))
    if events:
        rows.touch_member(member)
    return Outcome(command, events, rev=member.rev)


HANDLERS: Final[dict[type[Command], Handler]] = {
    CreateThread: create_thread,
    AddMember: add_member,
    StoreMessage: store_message,
    MoveCursor: move_cursor,
}


def apply_command(rows: WorkingSet, command: Command, at: datetime) -> Outcome:
    """Apply one command to the rows; a refusal becomes the outcome's answer."""
    try:
        return HANDLERS[type(command)](rows, command, at)
    except Refusal as refusal:
        return Outcome(command, refusal=refusal)

"""How far a member has received and read, and what the thread is to this member alone.

Promises: cursors only move forward and never beyond the last message; what is shown as read is shown as delivered.
With `show_receipts` off reading tells nobody anything; in large threads receipts are not told one by one: neither
takes a rev or causes an event. What changes without an event, and counts for what is unread, is the outcome's `own`.
"""

from dataclasses import replace
from datetime import datetime

from chatterbus_contracts.commands import ChangeOwnState, MarkUnread, MoveCursor
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_persister.ledger.outcome import CursorMoved, LedgerEvent, Outcome
from chatterbus_persister.ledger.rows import DELIVERED, READ, CursorStep, MemberRow, ThreadRow
from chatterbus_persister.ledger.rules import NO_MESSAGE, member_of
from chatterbus_persister.ledger.working_set import WorkingSet


def move_cursor(rows: WorkingSet, command: MoveCursor, at: datetime) -> Outcome:
    """Move the caller's cursors forward, clamped to the last message. Reading clears the caller's own mark."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    read = min(command.read_seq or 0, thread.last_seq)
    delivered = min(command.delivered_seq or 0, thread.last_seq)
    if member.show_receipts:
        delivered = max(delivered, read)
    events: list[LedgerEvent] = []
    own: MemberRow | None = None
    if command.read_seq is not None and member.marked_unread_seq is not None:
        member.marked_unread_seq = None
        rows.touch_member(member)
        own = member
    if read > member.read_seq:
        _read(rows, thread, member, read, at, events)
        if not events:
            own = member
    if delivered > member.delivered_seq:
        _deliver(rows, thread, member, delivered, at, events)
    return Outcome(command, events, rev=member.rev, own=own)


def _told(rows: WorkingSet, thread: ThreadRow) -> bool:
    return thread.member_count <= rows.policy.receipts_broadcast_max_members


def _read(
    rows: WorkingSet, thread: ThreadRow, member: MemberRow, seq: int, at: datetime, events: list[LedgerEvent]
) -> None:
    member.read_seq = seq
    rows.touch_member(member)
    if not member.show_receipts:
        return
    member.shown_read_seq, member.read_at = seq, at
    rows.add_step(CursorStep(thread.thread_id, member.user_id, READ, seq, at))
    if _told(rows, thread):
        member.read_rev = member.rev = rows.next_rev(thread)
        events.append(CursorMoved(replace(member), "read_receipt", seq, member.read_rev))


def _deliver(
    rows: WorkingSet, thread: ThreadRow, member: MemberRow, seq: int, at: datetime, events: list[LedgerEvent]
) -> None:
    member.delivered_seq, member.delivered_at = seq, at
    rows.touch_member(member)
    rows.add_step(CursorStep(thread.thread_id, member.user_id, DELIVERED, seq, at))
    if events and seq == member.shown_read_seq:
        # Reading implies delivered: one change, one event.
        member.delivered_rev = member.read_rev
    elif _told(rows, thread):
        member.delivered_rev = member.rev = rows.next_rev(thread)
        events.append(CursorMoved(replace(member), "delivered_receipt", seq, member.delivered_rev))


def mark_unread(rows: WorkingSet, command: MarkUnread, _at: datetime) -> Outcome:
    """The caller's own mark: unread from here on, until the caller reads again."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    if command.seq > thread.last_seq:
        raise Refusal(ErrorCode.MESSAGE_NOT_FOUND, NO_MESSAGE)
    if member.marked_unread_seq == command.seq:
        return Outcome(command)
    member.marked_unread_seq = command.seq
    rows.touch_member(member)
    return Outcome(command, own=member)


def change_own_state(rows: WorkingSet, command: ChangeOwnState, _at: datetime) -> Outcome:
    """Archived, muted, receipts shown: as far as the command says."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    was_muted = member.muted
    if command.archived is not None:
        member.archived_seq = thread.last_seq if command.archived else None
    if command.muted is not None:
        member.muted = command.muted
    if command.show_receipts is not None:
        member.show_receipts = command.show_receipts
    rows.touch_member(member)
    return Outcome(command, own=None if member.muted == was_muted else member)

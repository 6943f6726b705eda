"""Creating and describing threads, and who belongs to them."""

from dataclasses import replace
from datetime import datetime

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.commands import AddMember, CreateThread, NewMember, RemoveMember, UpdateThread
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.outcome import LedgerEvent, MembershipChanged, Outcome, ThreadChanged
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.ledger.rules import member_of, require_another_owner, require_owner
from chatterbus_persister.ledger.working_set import WorkingSet


def create_thread(rows: WorkingSet, command: CreateThread, at: datetime) -> Outcome:
    """Create the thread with its members, or find it. An open thread takes in whoever creates it again."""
    thread = rows.threads.get(command.thread_id)
    if thread is not None:
        return _create_again(rows, command, thread, at)
    thread = ThreadRow(command.thread_id, command.title, command.metadata, command.open, command.user_id, at)
    rows.add_thread(thread)
    thread.rev = rows.next_rev(thread)
    events: list[LedgerEvent] = [ThreadChanged(replace(thread), thread.rev)]
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


def update_thread(rows: WorkingSet, command: UpdateThread, _at: datetime) -> Outcome:
    """Set title, metadata or both. For owners. What is so already is no change."""
    thread, caller = member_of(rows, command.thread_id, command.user_id)
    require_owner(caller)
    if described_as(thread, command):
        return Outcome(command, rev=thread.rev)
    for name in command.fields:
        setattr(thread, name, getattr(command, name))
    thread.rev = rows.next_rev(thread)
    rows.describe_thread(thread)
    return Outcome(command, [ThreadChanged(replace(thread), thread.rev)], rev=thread.rev)


def described_as(thread: ThreadRow, command: UpdateThread) -> bool:
    """Whether the thread is what the command wants it to be. As JSON: to Python, true equals 1."""
    return all(encode_json(getattr(thread, name)) == encode_json(getattr(command, name)) for name in command.fields)


def add_member(rows: WorkingSet, command: AddMember, at: datetime) -> Outcome:
    """Add a member, take a former one back, or change a role. For owners."""
    thread, caller = member_of(rows, command.thread_id, command.user_id)
    require_owner(caller)
    known = rows.members.get((command.thread_id, command.member.user_id))
    if known is not None and known.removed_at is None:
        if known.role is command.member.role:
            return Outcome(command, rev=known.membership_rev)
        require_another_owner(rows, known)
    joined = _join(rows, thread, command.member, at)
    return Outcome(command, [joined], rev=joined.rev)


def remove_member(rows: WorkingSet, command: RemoveMember, at: datetime) -> Outcome:
    """Remove a member (for owners), or leave. Who is no member already is no change. The last one may leave."""
    thread, caller = member_of(rows, command.thread_id, command.user_id)
    if command.member_id != command.user_id:
        require_owner(caller)
    member = rows.members.get((command.thread_id, command.member_id))
    if member is None or member.removed_at is not None:
        return Outcome(command, rev=thread.last_rev)
    if thread.member_count > 1:
        require_another_owner(rows, member)
    member.removed_at = at
    member.rev = member.membership_rev = rows.next_rev(thread)
    thread.member_count -= 1
    rows.describe_thread(thread)
    rows.touch_member(member)
    return Outcome(command, [MembershipChanged(replace(member), member.rev)], rev=member.rev)


def _join(rows: WorkingSet, thread: ThreadRow, new: NewMember, at: datetime) -> MembershipChanged:
    rev = rows.next_rev(thread)
    member = rows.members.get((thread.thread_id, new.user_id))
    if member is None:
        member = MemberRow(thread.thread_id, new.user_id, new.user_type, new.role, at)
        rows.add_member(member)
        thread.member_count += 1
    else:
        member.role, member.user_type = new.role, new.user_type
        if member.removed_at is not None:
            member.removed_at, member.joined_at = None, at
            thread.member_count += 1
        rows.touch_member(member)
    rows.describe_thread(thread)
    member.rev = member.membership_rev = rev
    return MembershipChanged(replace(member), rev)

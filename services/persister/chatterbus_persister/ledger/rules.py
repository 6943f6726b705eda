"""Who may do what in a thread.

Promises: an unknown thread and a thread that one never belonged to answer alike, an unknown message too; a former
member is told so.
"""

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import MessageId, ThreadId, UserId, split_message_id
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.ledger.working_set import WorkingSet

NO_THREAD = "there is no such thread"
NO_MESSAGE = "there is no such message"
WRITERS = frozenset({Role.OWNER, Role.MEMBER})


def member_of(rows: WorkingSet, thread_id: ThreadId, user_id: UserId) -> tuple[ThreadRow, MemberRow]:
    """The thread and the user's membership, or Refusal THREAD_NOT_FOUND or NOT_A_MEMBER."""
    thread = rows.threads.get(thread_id)
    member = rows.members.get((thread_id, user_id))
    if thread is None or member is None:
        raise Refusal(ErrorCode.THREAD_NOT_FOUND, NO_THREAD)
    if member.removed_at is not None:
        raise Refusal(ErrorCode.NOT_A_MEMBER, "you are not a member of this thread any more")
    return thread, member


def require_writer(member: MemberRow) -> None:
    """Refuse readers."""
    if member.role not in WRITERS:
        raise Refusal(ErrorCode.FORBIDDEN, "readers may not write in this thread")


def require_owner(member: MemberRow) -> None:
    """Refuse all but owners."""
    if member.role is not Role.OWNER:
        raise Refusal(ErrorCode.FORBIDDEN, "only an owner may do this")


def require_another_owner(rows: WorkingSet, member: MemberRow) -> None:
    """Refuse to take away a thread's last owner."""
    if member.role is not Role.OWNER:
        return
    for other in rows.members.values():
        if (
            other.thread_id == member.thread_id
            and other.user_id != member.user_id
            and other.role is Role.OWNER
            and other.removed_at is None
        ):
            return
    raise Refusal(ErrorCode.LAST_OWNER, "a thread keeps at least one owner")


def message_in(rows: WorkingSet, thread: ThreadRow, message_id: MessageId) -> MessageRow:
    """The message, tombstones too, or Refusal MESSAGE_NOT_FOUND."""
    thread_id, seq = split_message_id(message_id)
    message = rows.messages.get((thread_id, seq))
    if message is None or thread_id != thread.thread_id:
        raise Refusal(ErrorCode.MESSAGE_NOT_FOUND, NO_MESSAGE)
    return message


def living_message_in(rows: WorkingSet, thread: ThreadRow, message_id: MessageId) -> MessageRow:
    """The message, unless it was deleted: Refusal MESSAGE_DELETED."""
    message = message_in(rows, thread, message_id)
    if message.deleted_at is not None:
        raise Refusal(ErrorCode.MESSAGE_DELETED, "the message was deleted")
    return message

"""Who may do what in a thread.

Promises: an unknown thread and a thread that one never belonged to answer alike; a former member is told so.
"""

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import Role
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.ledger.working_set import WorkingSet

NO_THREAD = "there is no such thread"
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

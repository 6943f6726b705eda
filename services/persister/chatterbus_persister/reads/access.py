"""May this user look into this thread?"""

from typing import Final

from psycopg import AsyncConnection

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_persister.columns import member_row
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.ledger.rules import member_of
from chatterbus_persister.ledger.working_set import WorkingSet
from chatterbus_persister.statements import MEMBER_COLUMNS, THREAD_COLUMNS

THREAD_AND_MEMBER: Final = f"""
SELECT {THREAD_COLUMNS}, {MEMBER_COLUMNS}
FROM threads t JOIN members m ON m.thread_id = t.thread_id AND m.user_id = %(user_id)s
WHERE t.thread_id = %(thread_id)s
"""  # noqa: S608 - a constant
THREAD_WIDTH: Final = THREAD_COLUMNS.count(",") + 1


async def require_member(
    connection: AsyncConnection, thread_id: ThreadId, user_id: UserId
) -> tuple[ThreadRow, MemberRow]:
    """The thread and the user's membership; refused by the ledger's own rule otherwise."""
    cursor = await connection.execute(THREAD_AND_MEMBER, {"thread_id": thread_id, "user_id": user_id})
    row = await cursor.fetchone()
    rows = WorkingSet()
    if row is not None:
        rows.threads[thread_id] = ThreadRow(*row[:THREAD_WIDTH])
        rows.members[(thread_id, user_id)] = member_row(row[THREAD_WIDTH:])
    return member_of(rows, thread_id, user_id)


def not_found(code: ErrorCode, what: str) -> Refusal:
    """The answer for what does not exist, or may not be seen."""
    return Refusal(code, f"there is no such {what}")

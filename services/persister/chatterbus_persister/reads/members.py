"""The members that an answer names, and pages of the others.

Promises: however large a thread, an answer names at most MEMBERS_PAGE_MAX members (with the longest ids a quarter
of a NATS message): the first by user id, and the asker. One that leaves somebody out says how many there are and where
a page goes on. Pages go along the primary key; what changed is filtered where the members are.
"""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import MEMBERS_PAGE_MAX
from chatterbus_persister.columns import member_row
from chatterbus_persister.frames import Json, member_state
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.statements import MEMBER_COLUMNS

PAGE: Final = f"""
SELECT {MEMBER_COLUMNS} FROM members m
WHERE m.thread_id = %(thread_id)s AND m.user_id > %(after)s AND m.removed_at IS NULL
ORDER BY m.user_id LIMIT %(limit)s
"""  # noqa: S608 - a constant
FIRST_OF_EACH: Final = f"""
SELECT {MEMBER_COLUMNS}
FROM unnest(%(ids)s::text[]) AS k (thread_id) CROSS JOIN LATERAL (
    SELECT * FROM members WHERE members.thread_id = k.thread_id AND members.removed_at IS NULL
    ORDER BY members.user_id LIMIT %(limit)s
) m ORDER BY m.thread_id, m.user_id
"""  # noqa: S608 - a constant
CHANGED: Final = f"""
SELECT {MEMBER_COLUMNS} FROM members m WHERE m.thread_id = %(thread_id)s AND m.rev > %(since)s ORDER BY m.user_id
"""  # noqa: S608 - a constant


async def members_page(
    connection: AsyncConnection, thread_id: ThreadId, after: UserId | None = None, limit: int = MEMBERS_PAGE_MAX
) -> tuple[list[MemberRow], bool]:
    """Members by user id, behind `after`, and whether there are more."""
    cursor = await connection.execute(PAGE, {"thread_id": thread_id, "after": after or "", "limit": limit + 1})
    found = [member_row(row) for row in await cursor.fetchall()]
    return found[:limit], len(found) > limit


async def first_members(connection: AsyncConnection, ids: list[str]) -> dict[str, list[MemberRow]]:
    """Of each thread the first ones, one more than is named."""
    cursor = await connection.execute(FIRST_OF_EACH, {"ids": ids, "limit": MEMBERS_PAGE_MAX + 1})
    by_thread: dict[str, list[MemberRow]] = {}
    for row in await cursor.fetchall():
        by_thread.setdefault(row[0], []).append(member_row(row))
    return by_thread


async def members_changed(connection: AsyncConnection, thread_id: ThreadId, since: int) -> list[MemberRow]:
    """Members and former members of whom something is newer than `since`."""
    cursor = await connection.execute(CHANGED, {"thread_id": thread_id, "since": since})
    return [member_row(row) for row in await cursor.fetchall()]


def named_members(thread: ThreadRow, own: MemberRow, found: Sequence[MemberRow]) -> dict[str, Any]:
    """The fields `members`, and where somebody is left out `memberCount` and `membersCursor`, of an answer to `own`."""
    named = list(found[:MEMBERS_PAGE_MAX])
    if len(named) == len(found):
        return {"members": _states(named)}
    cursor = named[-1].user_id
    if own.removed_at is None and all(member.user_id != own.user_id for member in named):
        named.append(own)
    return {"members": _states(named), "memberCount": thread.member_count, "membersCursor": cursor}


async def members_named(connection: AsyncConnection, thread: ThreadRow, own: MemberRow) -> dict[str, Any]:
    """The same, read for one thread."""
    found = await first_members(connection, [thread.thread_id])
    return named_members(thread, own, found.get(thread.thread_id, []))


def _states(members: Sequence[MemberRow]) -> list[Json]:
    return [member_state(member) for member in members]

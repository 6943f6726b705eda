"""Who has left something unread for how long in a thread.

Promises: ages are by the database's clock; what one wrote oneself, and what was deleted, is not missed; the muted and
the removed are left out, readers are not. A page looks at `limit` members, the late and the others, so it may hold
fewer or none: its cursor says where to go on, and `nextDueS` is that of the members it has looked at. Per member at
most 2 * LOOKED_AT messages are read: the oldest unread ones, and if all of them are the member's own or deleted, the
newest (the oldest message that counts is then the oldest of these).
"""

from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from chatterbus_contracts.ids import UserId
from chatterbus_contracts.limits import UNREAD_MENTIONS_MAX
from chatterbus_contracts.queries import AskMissed
from chatterbus_persister.reads.previews import LAST_MESSAGE, PREVIEW_COLUMNS, PreviewRow, preview
from chatterbus_persister.reads.unread import FLOOR, MENTIONS_LOOKED_AT

LOOKED_AT: Final = 1_000

THREAD: Final = f"""
SELECT p.title, p.last_seq, {PREVIEW_COLUMNS}
FROM (SELECT * FROM threads WHERE threads.thread_id = %(thread_id)s) p
{LAST_MESSAGE}
"""  # noqa: S608 - a constant
_COUNTS: Final = "looked.deleted_at IS NULL AND looked.sender_id <> p.user_id"
_UNREAD: Final = """
SELECT x.seq, x.sender_id, x.created_at, x.deleted_at FROM messages x
WHERE x.thread_id = %(thread_id)s AND x.seq > p.floor
"""
WAITING: Final = f"""
SELECT p.user_id, p.user_type, p.floor, COALESCE(early.seq, late.seq),
       extract(epoch FROM now() - COALESCE(early.created_at, late.created_at))::float8
FROM (
    SELECT m.user_id, m.user_type, {FLOOR} AS floor FROM members m
    WHERE m.thread_id = %(thread_id)s AND m.user_id > %(after)s AND m.removed_at IS NULL AND NOT m.muted
    ORDER BY m.user_id LIMIT %(limit)s
) p
LEFT JOIN LATERAL (
    SELECT looked.seq, looked.created_at FROM ({_UNREAD} ORDER BY x.seq LIMIT {LOOKED_AT}) looked
    WHERE {_COUNTS} ORDER BY looked.seq LIMIT 1
) early ON true
LEFT JOIN LATERAL (
    SELECT looked.seq, looked.created_at
    FROM ({_UNREAD} AND early.seq IS NULL ORDER BY x.seq DESC LIMIT {LOOKED_AT}) looked
    WHERE {_COUNTS} ORDER BY looked.seq LIMIT 1
) late ON true
ORDER BY p.user_id
"""  # noqa: S608 - a constant
# One walk over the messages with mentions for all who are late, where each walking by himself might walk far.
MENTIONS: Final = f"""
SELECT k.user_id, LEAST(count(DISTINCT looked.seq), {UNREAD_MENTIONS_MAX})
FROM (
    SELECT x.seq, x.mentions FROM messages x
    WHERE x.thread_id = %(thread_id)s AND x.seq > %(floor)s AND x.mentions IS NOT NULL AND x.deleted_at IS NULL
    ORDER BY x.seq DESC LIMIT {MENTIONS_LOOKED_AT}
) looked
CROSS JOIN LATERAL unnest(looked.mentions) AS named
JOIN unnest(%(users)s::text[], %(floors)s::bigint[]) AS k (user_id, floor)
  ON k.user_id = named AND looked.seq > k.floor
GROUP BY k.user_id
"""  # noqa: S608 - a constant


class Waiting(NamedTuple):
    """A row of WAITING. Without a message that counts, `first_seq` and `age_s` are None. A persister's clock may run
    ahead of the database's, so an age may be a little below zero."""

    user_id: UserId
    user_type: str
    floor: int
    first_seq: int | None
    age_s: float | None


async def missed(connection: AsyncConnection, ask: AskMissed) -> dict[str, Any]:
    """contracts.queries.Missed."""
    cursor = await connection.execute(THREAD, {"thread_id": ask.thread_id})
    thread = await cursor.fetchone()
    if thread is None:
        return {"title": None, "lastSeq": 0, "lastMessage": None, "items": [], "nextDueS": None, "nextCursor": None}
    title, last_seq, *last = thread
    cursor = await connection.execute(
        WAITING, {"thread_id": ask.thread_id, "after": ask.after or "", "limit": ask.limit + 1}
    )
    found = [Waiting(*row) for row in await cursor.fetchall()]
    looked_at = found[: ask.limit]
    waiting = [(member, max(member.age_s, 0.0)) for member in looked_at if member.age_s is not None]
    due = [(member, age_s) for member, age_s in waiting if age_s >= ask.unread_for_s]
    mentions = await _mentions(connection, ask, [member for member, _ in due])
    return {
        "title": title,
        "lastSeq": last_seq,
        "lastMessage": preview(ask.thread_id, PreviewRow(*last)),
        "items": [
            {
                "userId": member.user_id,
                "userType": member.user_type,
                "unread": last_seq - member.floor,
                "mentions": mentions.get(member.user_id, 0),
                "firstUnreadSeq": member.first_seq,
                "unreadForS": age_s,
            }
            for member, age_s in due
        ],
        "nextDueS": min((ask.unread_for_s - age_s for _, age_s in waiting if age_s < ask.unread_for_s), default=None),
        "nextCursor": looked_at[-1].user_id if len(found) > len(looked_at) else None,
    }


async def _mentions(connection: AsyncConnection, ask: AskMissed, due: list[Waiting]) -> dict[UserId, int]:
    if not due:
        return {}
    cursor = await connection.execute(
        MENTIONS,
        {
            "thread_id": ask.thread_id,
            "floor": min(member.floor for member in due),
            "users": [member.user_id for member in due],
            "floors": [member.floor for member in due],
        },
    )
    return dict(await cursor.fetchall())

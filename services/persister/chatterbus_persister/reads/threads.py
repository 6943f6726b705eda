"""Questions about threads: one, the caller's list, membership, receipts, and the store itself.

The list is ordered by last activity (last message, else creation), newest first, then by id; its cursor is the last
row's place in that order.
"""

import base64
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskInfo, AskMembership, AskReceipts, AskThread, AskThreads
from chatterbus_persister.columns import member_row, message_row
from chatterbus_persister.frames import member_state, message_state, own_state, thread_state
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.reads.access import THREAD_WIDTH, require_member
from chatterbus_persister.reads.members import first_members, members_named, members_page, named_members
from chatterbus_persister.reads.messages import json_chars, message_chars
from chatterbus_persister.reads.page import cut
from chatterbus_persister.statements import MEMBER_COLUMNS, MESSAGE_COLUMNS, THREAD_COLUMNS

# One probe of the primary key per thread of the user: without the LIMIT the planner may choose to read all threads
# of everybody instead.
OWN_THREADS: Final = """
members m CROSS JOIN LATERAL (SELECT * FROM threads WHERE threads.thread_id = m.thread_id LIMIT 1) t
"""
ARCHIVED: Final = "(m.archived_seq IS NOT NULL AND (m.muted OR m.archived_seq >= t.last_seq))"
LIST: Final = f"""
SELECT {THREAD_COLUMNS}, {MEMBER_COLUMNS}, COALESCE(t.last_message_at, t.created_at) AS activity
FROM {OWN_THREADS}
WHERE m.user_id = %(user_id)s AND m.removed_at IS NULL AND {ARCHIVED} = %(archived)s
  AND (%(at)s::timestamptz IS NULL
       OR (COALESCE(t.last_message_at, t.created_at), t.thread_id) < (%(at)s::timestamptz, %(after)s))
ORDER BY activity DESC, t.thread_id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
LAST_MESSAGES: Final = f"""
SELECT {MESSAGE_COLUMNS}
FROM unnest(%(ids)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
JOIN messages m ON m.thread_id = k.thread_id AND m.seq = k.seq
"""  # noqa: S608 - a constant


async def info(connection: AsyncConnection, _ask: AskInfo) -> dict[str, Any]:
    """contracts.queries.Info."""
    cursor = await connection.execute("SELECT epoch, partitions FROM store")
    row = await cursor.fetchone()
    if row is None:
        raise Refusal(ErrorCode.STORE_UNAVAILABLE, "the store was not laid down yet")
    return {"epoch": row[0], "partitions": row[1]}


async def thread(connection: AsyncConnection, ask: AskThread) -> dict[str, Any]:
    """contracts.states.ThreadDetail."""
    row, own = await require_member(connection, ask.thread_id, ask.user_id)
    return thread_state(row) | await members_named(connection, row, own) | {"own": own_state(row, own)}


async def receipts(connection: AsyncConnection, ask: AskReceipts) -> dict[str, Any]:
    """contracts.queries.Receipts."""
    await require_member(connection, ask.thread_id, ask.user_id)
    members, more = await members_page(connection, ask.thread_id, ask.after, ask.limit)
    return {
        "threadId": ask.thread_id,
        "items": [member_state(member) for member in members],
        "nextCursor": members[-1].user_id if more else None,
    }


async def membership(connection: AsyncConnection, ask: AskMembership) -> dict[str, Any]:
    """contracts.states.MemberState."""
    _, member = await require_member(connection, ask.thread_id, ask.user_id)
    return member_state(member)


async def threads(connection: AsyncConnection, ask: AskThreads) -> dict[str, Any]:
    """contracts.queries.ThreadsPage."""
    at, after = _parse_cursor(ask.cursor)
    cursor = await connection.execute(
        LIST,
        {"user_id": ask.user_id, "archived": ask.archived, "at": at, "after": after, "limit": ask.limit + 1},
    )
    found = await cursor.fetchall()
    ids = [row[0] for row in found]
    members = await first_members(connection, ids)
    last = await _last_messages(connection, [(row[0], row[6]) for row in found if row[6]])
    page, more = cut(
        found, ask.limit, lambda row: _chars(ThreadRow(*row[:THREAD_WIDTH]), members.get(row[0], []), last.get(row[0]))
    )
    items = []
    for row in page:
        state = ThreadRow(*row[:THREAD_WIDTH])
        member = member_row(row[THREAD_WIDTH:-1])
        own = own_state(state, member)
        message = last.get(state.thread_id)
        items.append(
            thread_state(state)
            | named_members(state, member, members.get(state.thread_id, []))
            | {
                "own": own,
                "unread": own["unread"],
                "readSeq": own["readSeq"],
                "lastMessage": None if message is None else message_state(message),
            }
        )
    return {"items": items, "nextCursor": _cursor(page[-1][-1], page[-1][0]) if more else None}


def _chars(row: ThreadRow, members: list[MemberRow], message: MessageRow | None) -> int:
    own = len(row.title or "") + json_chars(row.metadata)
    return own + 64 * len(members) + (0 if message is None else message_chars(message))


async def _last_messages(connection: AsyncConnection, places: list[tuple[str, int]]) -> dict[str, MessageRow]:
    cursor = await connection.execute(
        LAST_MESSAGES, {"ids": [thread_id for thread_id, _ in places], "seqs": [seq for _, seq in places]}
    )
    return {row[0]: message_row(row) for row in await cursor.fetchall()}


def _cursor(activity: datetime, thread_id: str) -> str:
    return base64.urlsafe_b64encode(encode_json([activity.isoformat(), thread_id])).decode()


def _parse_cursor(cursor: str | None) -> tuple[datetime | None, str | None]:
    if cursor is None:
        return None, None
    try:
        at, after = parse_json(base64.urlsafe_b64decode(cursor))
        return datetime.fromisoformat(at), str(after)
    except (ValueError, TypeError, DecodeError):
        raise Refusal(ErrorCode.BAD_REQUEST, "cursor: not one of ours") from None

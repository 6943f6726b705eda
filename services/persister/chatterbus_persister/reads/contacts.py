"""Who shares a thread with whom.

Promises: former members share nothing; one does not share with oneself. A page of contacts reads at most a page of
members of each of the user's threads, however large they are. `sharing` goes along the shorter way: from the user's
threads if they are few (a client asking about an agent of many), else from those of the others.
"""

from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.queries import AskContacts, AskSharing

FEW_THREADS: Final = 100

CONTACTS: Final = """
SELECT DISTINCT o.user_id
FROM members m
CROSS JOIN LATERAL (
    SELECT members.user_id FROM members
    WHERE members.thread_id = m.thread_id AND members.user_id > %(after)s AND members.user_id <> %(user_id)s
      AND members.removed_at IS NULL
    ORDER BY members.user_id LIMIT %(limit)s
) o
WHERE m.user_id = %(user_id)s AND m.removed_at IS NULL
ORDER BY o.user_id LIMIT %(limit)s
"""
OWN_THREADS: Final = """
SELECT thread_id FROM members WHERE user_id = %(user_id)s AND removed_at IS NULL ORDER BY thread_id LIMIT %(limit)s
"""
SHARING_OF_FEW: Final = """
SELECT u
FROM unnest(%(others)s::text[]) AS u
CROSS JOIN LATERAL (
    SELECT 1 FROM unnest(%(threads)s::text[]) AS own
    CROSS JOIN LATERAL (
        SELECT 1 FROM members
        WHERE members.thread_id = own AND members.user_id = u AND members.removed_at IS NULL LIMIT 1
    ) there LIMIT 1
) shared
"""
SHARING_OF_MANY: Final = """
SELECT u
FROM unnest(%(others)s::text[]) AS u
CROSS JOIN LATERAL (
    SELECT 1 FROM members o
    CROSS JOIN LATERAL (
        SELECT 1 FROM members
        WHERE members.thread_id = o.thread_id AND members.user_id = %(user_id)s AND members.removed_at IS NULL LIMIT 1
    ) there
    WHERE o.user_id = u AND o.removed_at IS NULL LIMIT 1
) shared
"""


async def contacts(connection: AsyncConnection, ask: AskContacts) -> dict[str, Any]:
    """contracts.queries.Contacts."""
    cursor = await connection.execute(
        CONTACTS, {"user_id": ask.user_id, "after": ask.after or "", "limit": ask.limit + 1}
    )
    found = [user_id for (user_id,) in await cursor.fetchall()]
    page = found[: ask.limit]
    return {"userIds": page, "nextCursor": page[-1] if len(found) > len(page) else None}


async def sharing(connection: AsyncConnection, ask: AskSharing) -> dict[str, Any]:
    """contracts.queries.Sharing, in the order asked."""
    others = [user_id for user_id in dict.fromkeys(ask.others) if user_id != ask.user_id]
    cursor = await connection.execute(OWN_THREADS, {"user_id": ask.user_id, "limit": FEW_THREADS + 1})
    threads = [thread_id for (thread_id,) in await cursor.fetchall()]
    if len(threads) <= FEW_THREADS:
        cursor = await connection.execute(SHARING_OF_FEW, {"others": others, "threads": threads})
    else:
        cursor = await connection.execute(SHARING_OF_MANY, {"others": others, "user_id": ask.user_id})
    found = {user_id for (user_id,) in await cursor.fetchall()}
    return {"userIds": [user_id for user_id in others if user_id in found]}

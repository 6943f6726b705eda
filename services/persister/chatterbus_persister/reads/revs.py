"""How far threads are: what a gateway compares its own position with.

Promises: one probe of the primary key per thread, whoever its members are; an unknown thread is left out.
"""

from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.queries import AskRevs

REVS: Final = "SELECT thread_id, last_rev FROM threads WHERE thread_id = ANY (%(threads)s::text[])"


async def revs(connection: AsyncConnection, ask: AskRevs) -> dict[str, Any]:
    """contracts.queries.Revs."""
    cursor = await connection.execute(REVS, {"threads": ask.thread_ids})
    return {"items": [[thread_id, rev] for thread_id, rev in await cursor.fetchall()]}

"""Questions about messages: history pages, and one message.

History goes along the primary key (thread, seq), so a page costs the same anywhere in a thread of any length.
"""

from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import split_message_id
from chatterbus_contracts.queries import AskHistory, AskMessage
from chatterbus_persister.columns import message_row
from chatterbus_persister.frames import message_state
from chatterbus_persister.ledger.rows import MessageRow
from chatterbus_persister.reads.access import not_found, require_member
from chatterbus_persister.reads.page import cut
from chatterbus_persister.statements import MESSAGE_COLUMNS

BEFORE: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq < %(seq)s
ORDER BY m.seq DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
AFTER: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq > %(seq)s
ORDER BY m.seq LIMIT %(limit)s
"""  # noqa: S608 - a constant
ONE: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq = %(seq)s
"""  # noqa: S608 - a constant


def message_chars(row: MessageRow) -> int:
    """Roughly how long its JSON text is, beyond the fixed fields."""
    return len(row.content) + json_chars(row.metadata) + sum(map(len, row.mentions))


def json_chars(value: dict[str, Any] | None) -> int:
    """Roughly how long the JSON text of a product's metadata is."""
    return len(str(value)) if value else 0


async def history(connection: AsyncConnection, ask: AskHistory) -> dict[str, Any]:
    """contracts.queries.HistoryPage."""
    thread, _ = await require_member(connection, ask.thread_id, ask.user_id)
    forward = ask.after_seq is not None
    before = thread.last_seq + 1 if ask.before_seq is None else ask.before_seq
    start = ask.after_seq if forward else before
    cursor = await connection.execute(
        AFTER if forward else BEFORE, {"thread_id": ask.thread_id, "seq": start, "limit": ask.limit + 1}
    )
    found = [message_row(row) for row in await cursor.fetchall()]
    page, more = cut(found, ask.limit, message_chars)
    edge = str(page[-1].seq) if more else None
    if not forward:
        page.reverse()
    return {"items": [message_state(row) for row in page], "nextCursor": edge}


async def message(connection: AsyncConnection, ask: AskMessage) -> dict[str, Any]:
    """contracts.states.MessageState. Somebody else's message is answered like none."""
    thread_id, seq = split_message_id(ask.message_id)
    await require_member(connection, thread_id, ask.user_id)
    cursor = await connection.execute(ONE, {"thread_id": thread_id, "seq": seq})
    row = await cursor.fetchone()
    if row is None:
        raise not_found(ErrorCode.MESSAGE_NOT_FOUND, "message")
    return message_state(message_row(row))

"""Questions about messages: history pages, one message, its revisions, and who has it.

History goes along the primary key (thread, seq), so a page costs the same anywhere in a thread of any length.
"""

from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import ThreadId, UserId, split_message_id
from chatterbus_contracts.limits import REVISIONS_PAGE_MAX
from chatterbus_contracts.queries import AskHistory, AskMessage, AskMessageReceipts, AskRevisions
from chatterbus_persister.arrays import int_array, text_array
from chatterbus_persister.columns import message_row
from chatterbus_persister.frames import Json, message_state, optional_time, time_text
from chatterbus_persister.ledger.rows import MessageRow
from chatterbus_persister.reads.access import not_found, require_member
from chatterbus_persister.reads.page import cut
from chatterbus_persister.statements import LOAD_MESSAGES, MESSAGE_COLUMNS

QUOTE_CHARS: Final = 200

BEFORE: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq < %(seq)s
ORDER BY m.seq DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
AFTER: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq > %(seq)s
ORDER BY m.seq LIMIT %(limit)s
"""  # noqa: S608 - a constant
REVISIONS: Final = """
SELECT content, edited_by, replaced_at FROM message_revisions WHERE thread_id = %(thread_id)s AND seq = %(seq)s
ORDER BY revision DESC LIMIT %(limit)s
"""
# Reading implies delivered, so the earlier of both steps is the delivery.
MESSAGE_RECEIPTS: Final = """
SELECT m.user_id, LEAST(delivered.at, reading.at), reading.at
FROM members m
LEFT JOIN LATERAL (
    SELECT h.at FROM cursor_history h
    WHERE h.thread_id = m.thread_id AND h.user_id = m.user_id AND h.kind = 1 AND h.seq >= %(seq)s
    ORDER BY h.seq LIMIT 1
) delivered ON true
LEFT JOIN LATERAL (
    SELECT h.at FROM cursor_history h
    WHERE h.thread_id = m.thread_id AND h.user_id = m.user_id AND h.kind = 2 AND h.seq >= %(seq)s
    ORDER BY h.seq LIMIT 1
) reading ON true
WHERE m.thread_id = %(thread_id)s AND m.removed_at IS NULL AND m.user_id <> %(sender_id)s
  AND m.user_id > %(after)s
ORDER BY m.user_id LIMIT %(limit)s
"""
ONE: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.seq = %(seq)s
"""  # noqa: S608 - a constant


def message_chars(row: MessageRow) -> int:
    """Roughly how long its JSON text is, beyond the fixed fields."""
    return (
        len(row.content)
        + json_chars(row.metadata)
        + json_chars(row.reactions)
        + json_chars(row.attachments)
        + sum(map(len, row.mentions))
        + (0 if row.reply_to_seq is None else QUOTE_CHARS)
    )


def json_chars(value: dict[str, Any] | list[Any] | None) -> int:
    """Roughly how long the JSON text of metadata, reactions or attachments is."""
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
    return {"items": await quoted(connection, page), "nextCursor": edge}


async def quoted(connection: AsyncConnection, rows: list[MessageRow]) -> list[Json]:
    """The states of messages of any threads; replies with a line of what they answer."""
    wanted = [(row.thread_id, row.reply_to_seq) for row in rows if row.reply_to_seq is not None]
    targets: dict[tuple[ThreadId, int], MessageRow] = {}
    if wanted:
        cursor = await connection.execute(
            LOAD_MESSAGES,
            {"threads": text_array(thread for thread, _ in wanted), "seqs": int_array(seq for _, seq in wanted)},
        )
        targets = {(row[0], row[1]): message_row(row) for row in await cursor.fetchall()}
    return [
        message_state(row)
        if row.reply_to_seq is None
        else message_state(row) | {"replyTo": _quote(targets[(row.thread_id, row.reply_to_seq)])}
        for row in rows
    ]


def _quote(row: MessageRow) -> Json:
    """contracts.states.Quote."""
    return {
        "id": row.id,
        "senderId": row.sender_id,
        "content": row.content[:QUOTE_CHARS],
        "deleted": row.deleted_at is not None,
    }


async def revisions(connection: AsyncConnection, ask: AskRevisions) -> dict[str, Any]:
    """contracts.queries.Revisions, newest first."""
    thread_id, seq = split_message_id(ask.message_id)
    await _require_message(connection, thread_id, seq, ask.user_id)
    cursor = await connection.execute(REVISIONS, {"thread_id": thread_id, "seq": seq, "limit": REVISIONS_PAGE_MAX})
    return {
        "items": [
            {"content": content, "editedBy": editor, "replacedAt": time_text(at)}
            for content, editor, at in await cursor.fetchall()
        ]
    }


async def message(connection: AsyncConnection, ask: AskMessage) -> dict[str, Any]:
    """contracts.states.MessageState. Somebody else's message is answered like none."""
    thread_id, seq = split_message_id(ask.message_id)
    row = await _require_message(connection, thread_id, seq, ask.user_id)
    return (await quoted(connection, [row]))[0]


async def _require_message(connection: AsyncConnection, thread_id: ThreadId, seq: int, user_id: UserId) -> MessageRow:
    await require_member(connection, thread_id, user_id)
    cursor = await connection.execute(ONE, {"thread_id": thread_id, "seq": seq})
    row = await cursor.fetchone()
    if row is None:
        raise not_found(ErrorCode.MESSAGE_NOT_FOUND, "message")
    return message_row(row)


async def message_receipts(connection: AsyncConnection, ask: AskMessageReceipts) -> dict[str, Any]:
    """contracts.queries.MessageReceipts: the first moments at which each member's cursors reached the message."""
    thread_id, seq = split_message_id(ask.message_id)
    row = await _require_message(connection, thread_id, seq, ask.user_id)
    cursor = await connection.execute(
        MESSAGE_RECEIPTS,
        {
            "thread_id": thread_id,
            "seq": seq,
            "sender_id": row.sender_id,
            "after": ask.after or "",
            "limit": ask.limit + 1,
        },
    )
    found = await cursor.fetchall()
    page = found[: ask.limit]
    return {
        "messageId": ask.message_id,
        "items": [
            {"userId": user_id, "deliveredAt": optional_time(delivered_at), "readAt": optional_time(read_at)}
            for user_id, delivered_at, read_at in page
        ],
        "nextCursor": page[-1][0] if len(found) > len(page) else None,
    }

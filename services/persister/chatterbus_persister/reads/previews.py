"""A message as one line of an inbox or a notification shows it.

Promises: never more of the text than PREVIEW_CHARS characters, and nothing of a deleted message's. The cut is made by
PostgreSQL, so a long text costs a page nothing.
"""

from datetime import datetime
from typing import Final, NamedTuple

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.ids import ThreadId, UserId, message_id
from chatterbus_contracts.limits import PREVIEW_CHARS
from chatterbus_contracts.states import MessageType
from chatterbus_persister.frames import Json, time_text


class PreviewRow(NamedTuple):
    """The columns of PREVIEW_COLUMNS. Where there is no message, `seq` is None and so is the rest."""

    seq: int | None
    sender_id: UserId
    sender_type: str
    message_type: MessageType
    content: str
    attachments: int
    deleted: bool
    created_at: datetime


# Of messages `l`.
PREVIEW_COLUMNS: Final = f"""
l.seq, l.sender_id, l.sender_type, l.message_type,
CASE WHEN l.deleted_at IS NULL THEN left(l.content, {PREVIEW_CHARS}) ELSE '' END,
COALESCE(json_array_length(l.attachments), 0), l.deleted_at IS NOT NULL, l.created_at
"""
# `l` is the message at place `p` (thread_id, last_seq): one probe of the primary key for each.
LAST_MESSAGE: Final = """
LEFT JOIN LATERAL (
    SELECT * FROM messages WHERE messages.thread_id = p.thread_id AND messages.seq = p.last_seq LIMIT 1
) l ON true
"""
FIXED_BYTES: Final = 256  # of a preview's JSON, beyond ids and text


def preview(thread_id: ThreadId, row: PreviewRow) -> Json | None:
    """contracts.states.MessagePreview, or None where there is no message."""
    if row.seq is None:
        return None
    return {
        "id": message_id(thread_id, row.seq),
        "seq": row.seq,
        "senderId": row.sender_id,
        "senderType": row.sender_type,
        "messageType": row.message_type,
        "content": row.content,
        "attachments": row.attachments,
        "deleted": row.deleted,
        "createdAt": time_text(row.created_at),
    }


def preview_bytes(thread_id: ThreadId, row: PreviewRow) -> int:
    """An upper bound of the preview's JSON."""
    if row.seq is None:
        return 0
    return FIXED_BYTES + len(thread_id) + len(row.sender_id) + len(row.sender_type) + len(encode_json(row.content))

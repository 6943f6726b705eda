"""Questions about files: one, as far as the asking user may have it."""

from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import split_attachment_id
from chatterbus_contracts.queries import AskAttachment
from chatterbus_persister.frames import attachment_state
from chatterbus_persister.reads.access import not_found, require_member

ONE: Final = """
SELECT a.attachment_id, a.name, a.content_type, a.size_bytes, a.width, a.height, a.thumbnail
FROM attachments a
WHERE a.thread_id = %(thread_id)s AND a.attachment_id = %(attachment_id)s AND a.removed_at IS NULL
  AND (a.seq IS NOT NULL OR a.owner_id = %(user_id)s)
"""
FIELDS: Final = ("id", "name", "contentType", "sizeBytes", "width", "height", "thumbnail")


async def attachment(connection: AsyncConnection, ask: AskAttachment) -> dict[str, Any]:
    """contracts.states.AttachmentState. One of a thread of others, one that was removed and, for all but its uploader,
    one that is in no message yet are answered like none."""
    thread_id, attachment_id = split_attachment_id(ask.attachment_id)
    await require_member(connection, thread_id, ask.user_id)
    cursor = await connection.execute(
        ONE, {"thread_id": thread_id, "attachment_id": attachment_id, "user_id": ask.user_id}
    )
    row = await cursor.fetchone()
    if row is None:
        raise not_found(ErrorCode.ATTACHMENT_NOT_FOUND, "file")
    return attachment_state(dict(zip(FIELDS, row, strict=True)))

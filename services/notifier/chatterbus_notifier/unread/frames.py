"""Unread counts as the JSON that clients read: UnreadNotice, UnreadSnapshot, and the preview in them. Pure.

Promises: what is built here is what `encode` makes of the contract's models, without making them: a busy notifier
builds thousands a second. Ids are plain ASCII without quotes (contracts.ids), so they stand as they are.
"""

from __future__ import annotations

import heapq
from typing import Any

from chatterbus_contracts.codec import encode_json, parse_json
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.limits import PREVIEW_CHARS, UNREAD_SNAPSHOT_MAX
from chatterbus_notifier.unread.standing import Standing, Thread, User, unread_of


def preview_of(message: dict[str, Any]) -> bytes:
    """The MessagePreview of a MessageState in wire form."""
    return encode_json(
        {
            "id": message["id"],
            "seq": message["seq"],
            "senderId": message["senderId"],
            "senderType": message["senderType"],
            "messageType": message["messageType"],
            "content": message["content"][:PREVIEW_CHARS],
            "attachments": len(message["attachments"]),
            "deleted": message["deleted"],
            "createdAt": message["createdAt"],
        }
    )


def unread_item(thread: Thread, standing: Standing) -> bytes:
    """UnreadItem, without the closing brace."""
    unread = unread_of(thread, standing)
    return b'"threadId":"%b","lastSeq":%d,"readSeq":%d,"unread":%d,"mentions":%d,"muted":%b,"lastMessage":%b' % (
        thread.id.encode(),
        thread.last_seq,
        standing.read_seq,
        unread,
        0 if standing.mentions is None else len(standing.mentions),
        b"true" if standing.muted else b"false",
        thread.preview if unread and thread.preview is not None else b"null",
    )


def unread_notice(user: User, thread: Thread, standing: Standing, version: int) -> bytes:
    """How the user stands in a thread, and in all."""
    return b'{"type":"unread",%b,"totalUnread":%d,"version":%d}' % (unread_item(thread, standing), user.total, version)


def farewell(user: User, thread_id: ThreadId, version: int) -> bytes:
    """The notice for a thread the user is not in any more: nothing to be read, and nothing to be told of it."""
    return unread_notice(user, Thread(thread_id, 0), Standing(0, None, False, None), version)


def unread_snapshot(user: User, threads: dict[ThreadId, Thread], version: int) -> bytes:
    """All threads with something unread, the newest UNREAD_SNAPSHOT_MAX first."""
    found = [
        (thread, standing)
        for thread_id, standing in user.standings.items()
        if unread_of(thread := threads[thread_id], standing)
    ]
    newest = heapq.nlargest(UNREAD_SNAPSHOT_MAX, found, key=lambda one: _written_at(one[0]))
    return b'{"type":"unread_snapshot","items":[%b],"more":%b,"totalUnread":%d,"version":%d}' % (
        b",".join(b"{%b}" % unread_item(thread, standing) for thread, standing in newest),
        b"true" if len(found) > len(newest) else b"false",
        user.total,
        version,
    )


def _written_at(thread: Thread) -> str:
    return "" if thread.preview is None else str(parse_json(thread.preview)["createdAt"])

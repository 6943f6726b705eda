"""What a client makes of unread frames, and what the store says it should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatterbus_contracts.frames.server import UnreadNotice, UnreadSnapshot, decode_server_frame
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import PREVIEW_CHARS
from chatterbus_contracts.queries import Position
from chatterbus_contracts.states import MessagePreview, UnreadItem
from chatterbus_persister.frames import time_text
from chatterbus_persister.ledger.rows import MemberRow, MessageRow
from tests.kit.ledger_fake import Tables


@dataclass
class UnreadView:
    """One client: the frames it got, applied by version."""

    items: dict[str, UnreadItem] = field(default_factory=dict)
    total: int = 0
    version: int = 0
    frames: int = 0

    def hear(self, data: bytes) -> None:
        """A frame; versions must grow."""
        frame = decode_server_frame(data)
        assert isinstance(frame, UnreadNotice | UnreadSnapshot)
        assert frame.version > self.version, "a version went back"
        self.frames += 1
        self.version, self.total = frame.version, frame.total_unread
        if isinstance(frame, UnreadSnapshot):
            assert not frame.more
            self.items = {item.thread_id: item for item in frame.items}
        else:
            fields = {name: getattr(frame, name) for name in UnreadItem.model_fields}
            self.items[frame.thread_id] = UnreadItem(**fields)

    @property
    def unread(self) -> dict[str, UnreadItem]:
        """Threads with something unread."""
        return {thread: item for thread, item in self.items.items() if item.unread}


def positions_of(tables: Tables, user_ids: tuple[UserId, ...], thread_id: ThreadId | None) -> list[Position]:
    """The answer to AskPositions."""
    return [
        _position(tables, member)
        for (thread, user), member in sorted(tables.members.items())
        if user in user_ids and thread_id in (None, thread) and member.removed_at is None
    ]


def unread_items(tables: Tables, user_id: UserId) -> dict[str, UnreadItem]:
    """What GET /api/chat/unread says: threads with something unread."""
    return {
        position.thread_id: UnreadItem(
            thread_id=position.thread_id,
            last_seq=position.last_seq,
            read_seq=position.read_seq,
            unread=unread,
            mentions=len(position.mention_seqs),
            muted=position.muted,
            last_message=position.last_message,
        )
        for position in positions_of(tables, (user_id,), None)
        if (unread := tables.members[(position.thread_id, user_id)].unread_of(position.last_seq))
    }


def _position(tables: Tables, member: MemberRow) -> Position:
    thread = tables.threads[member.thread_id]
    unread = member.unread_of(thread.last_seq)
    rows = [row for (key, seq), row in tables.messages.items() if key == thread.thread_id]
    return Position(
        user_id=member.user_id,
        thread_id=thread.thread_id,
        rev=thread.last_rev,
        last_seq=thread.last_seq,
        read_seq=member.read_seq,
        marked_unread_seq=member.marked_unread_seq,
        muted=member.muted,
        mention_seqs=sorted(
            (row.seq for row in rows if member.user_id in row.mentions and row.seq > thread.last_seq - unread),
            reverse=True,
        ),
        last_message=_preview(tables.messages[(thread.thread_id, thread.last_seq)]) if unread else None,
    )


def _preview(row: MessageRow) -> MessagePreview:
    fields: dict[str, Any] = {
        name: getattr(row, name) for name in ("id", "seq", "sender_id", "sender_type", "message_type")
    }
    return MessagePreview(
        **fields,
        content=row.content[:PREVIEW_CHARS],
        attachments=len(row.attachments or ()),
        deleted=row.deleted_at is not None,
        created_at=time_text(row.created_at),
    )

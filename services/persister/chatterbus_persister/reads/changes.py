"""What changed in a thread since a rev: current states in rev order.

Promises: a page is complete through `throughRev` and never ends inside a rev; applied to the state at `sinceRev`, all
pages give the state now, whatever was superseded in between. Messages go along the index (thread, rev); of the members
those are read of whom something is newer.
"""

from collections.abc import Iterator
from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.queries import AskChanges, AskSync
from chatterbus_persister.columns import message_row
from chatterbus_persister.frames import Json, cursor_frame, member_frame, message_frame, thread_frame
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.reads.access import require_member
from chatterbus_persister.reads.members import members_changed, members_named
from chatterbus_persister.reads.messages import message_chars
from chatterbus_persister.reads.page import cut
from chatterbus_persister.statements import MESSAGE_COLUMNS

SINCE: Final = f"""
SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.thread_id = %(thread_id)s AND m.rev > %(rev)s
ORDER BY m.rev LIMIT %(limit)s
"""  # noqa: S608 - a constant


async def changes(connection: AsyncConnection, ask: AskChanges) -> dict[str, Any]:
    """contracts.queries.ChangesPage."""
    thread, _ = await require_member(connection, ask.thread_id, ask.user_id)
    items, through = await _since(connection, thread, ask.since_rev, ask.limit)
    complete = through >= thread.last_rev
    return {
        "threadId": ask.thread_id,
        "items": items,
        "throughRev": through,
        "rev": thread.last_rev,
        "complete": complete,
        "nextCursor": None if complete else str(through),
    }


async def sync(connection: AsyncConnection, ask: AskSync) -> dict[str, Any]:
    """contracts.queries.Sync."""
    thread, own = await require_member(connection, ask.thread_id, ask.user_id)
    answer: dict[str, Any] = {
        "threadId": ask.thread_id,
        "rev": thread.last_rev,
        "throughRev": thread.last_rev,
        "lastSeq": thread.last_seq,
        **await members_named(connection, thread, own),
        "result": "complete",
        "reason": None,
        "changes": [],
    }
    if ask.since_rev is not None and ask.since_rev > thread.last_rev:
        return answer | {"result": "reset", "reason": "sinceRev is ahead of the thread: it belongs to another store"}
    if ask.since_rev is not None:
        items, through = await _since(connection, thread, ask.since_rev, ask.limit)
        page = through < thread.last_rev
        answer |= {"changes": items, "throughRev": through, "result": "page" if page else "complete"}
    return answer


async def _since(connection: AsyncConnection, thread: ThreadRow, since: int, limit: int) -> tuple[list[Json], int]:
    """(frames in rev order, the rev through which they are complete)."""
    cursor = await connection.execute(SINCE, {"thread_id": thread.thread_id, "rev": since, "limit": limit + 1})
    found = [message_row(row) for row in await cursor.fetchall()]
    rows, more = cut(found, limit, message_chars)
    frames = [message_frame(row, known_rev=since) for row in rows]
    members = await members_changed(connection, thread.thread_id, since)
    frames.extend(frame for frame in _other_frames(thread, members) if frame["rev"] > since)
    frames.sort(key=lambda frame: frame["rev"])
    # Messages beyond the cut are unknown here, so nothing from there on may be told.
    horizon = found[len(rows)].rev - 1 if more else thread.last_rev
    frames = [frame for frame in frames if frame["rev"] <= horizon]
    if len(frames) <= limit:
        return frames, horizon
    through = _last_whole_rev(frames, limit)
    return [frame for frame in frames if frame["rev"] <= through], through


def _last_whole_rev(frames: list[Json], limit: int) -> int:
    """The highest rev that the first `limit` frames cover completely (several frames may share one)."""
    beyond = frames[limit]["rev"]
    whole = [frame["rev"] for frame in frames[:limit] if frame["rev"] < beyond]
    return int(whole[-1] if whole else beyond)


def _other_frames(thread: ThreadRow, members: list[MemberRow]) -> Iterator[Json]:
    yield thread_frame(thread, thread.rev)
    for member in members:
        yield member_frame(member, member.membership_rev)
        if member.read_rev:
            yield cursor_frame(member, "read_receipt", member.shown_read_seq, member.read_rev)
        if member.delivered_rev and member.delivered_seq > member.shown_read_seq:
            yield cursor_frame(member, "delivered_receipt", member.delivered_seq, member.delivered_rev)

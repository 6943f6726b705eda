"""Questions about what is not read: a user's counts, and the positions that counts are made of.

Both read the same expression: unread is counted from the member's floor on, the read cursor or the member's own mark,
whichever is earlier; mentions are the unread, not deleted messages that name the member, the newest UNREAD_MENTIONS_MAX
of them. Promises: one probe of an index per thread, mention or last message; answers fit a NATS message. Does not look
for mentions beyond the newest MENTIONS_LOOKED_AT unread messages of a thread that mention anybody.
"""

import base64
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId, parse_thread_id, parse_user_id
from chatterbus_contracts.limits import UNREAD_MENTIONS_MAX
from chatterbus_contracts.queries import AskPositions, AskUnread
from chatterbus_persister.frames import Json
from chatterbus_persister.reads.page import cut_bytes
from chatterbus_persister.reads.previews import LAST_MESSAGE, PREVIEW_COLUMNS, PreviewRow, preview, preview_bytes

# The newest of the inbox; what is beyond counts in the total.
UNREAD_ITEMS_MAX: Final = 1_000
MENTIONS_LOOKED_AT: Final = 10_000
ITEM_BYTES: Final = 256  # of an item's JSON, beyond ids, mentions and preview
SEQ_BYTES: Final = 17

# Of members `m`.
FLOOR: Final = "LEAST(m.read_seq, COALESCE(m.marked_unread_seq - 1, m.read_seq))"
# Members `m` with their threads, as places `p`; probes as in reads.threads.OWN_THREADS.
PLACES: Final = f"""
SELECT m.user_id, m.thread_id, t.last_rev, t.last_seq, m.read_seq, m.marked_unread_seq, m.muted, {FLOOR} AS floor,
       COALESCE(t.last_message_at, t.created_at) AS activity
FROM {{members}} m
CROSS JOIN LATERAL (SELECT * FROM threads WHERE threads.thread_id = m.thread_id LIMIT 1) t
"""  # noqa: S608 - a constant
# What is said of places `p` that have something unread. The limit inside is what bounds the work.
MENTIONED: Final = f"""
LEFT JOIN LATERAL (
    SELECT array_agg(named.seq ORDER BY named.seq DESC) AS seqs
    FROM (
        SELECT looked.seq FROM (
            SELECT x.seq, x.mentions FROM messages x
            WHERE x.thread_id = p.thread_id AND x.seq > p.floor AND x.mentions IS NOT NULL AND x.deleted_at IS NULL
              AND p.last_seq > p.floor
            ORDER BY x.seq DESC LIMIT {MENTIONS_LOOKED_AT}
        ) looked
        WHERE p.user_id = ANY (looked.mentions)
        ORDER BY looked.seq DESC LIMIT {UNREAD_MENTIONS_MAX}
    ) named
) mentioned ON true
"""  # noqa: S608 - a constant
PLACE_COLUMNS: Final = f"""
p.user_id, p.thread_id, p.last_rev, p.last_seq, p.read_seq, p.marked_unread_seq, p.muted, p.last_seq - p.floor,
COALESCE(mentioned.seqs, '{{}}'), {PREVIEW_COLUMNS}
"""
UNREAD: Final = f"""
SELECT {PLACE_COLUMNS}, p.total
FROM (
    SELECT q.*, (sum(CASE WHEN q.muted THEN 0 ELSE q.last_seq - q.floor END) OVER ())::bigint AS total
    FROM (
        {PLACES.format(members="(SELECT * FROM members WHERE user_id = %(user_id)s AND removed_at IS NULL)")}
    ) q
    WHERE q.last_seq > q.floor
    ORDER BY q.activity DESC, q.thread_id DESC LIMIT %(limit)s
) p
{LAST_MESSAGE}
{MENTIONED}
ORDER BY p.activity DESC, p.thread_id DESC
"""  # noqa: S608 - a constant
# Memberships behind (after_user, after_thread), in order: of each user no more than can be on the page.
MEMBERSHIPS: Final = """
(
    SELECT k.* FROM (SELECT u AS user_id FROM unnest(%(users)s::text[]) AS u ORDER BY u COLLATE "C") asked
    CROSS JOIN LATERAL (
        SELECT * FROM members
        WHERE members.user_id = asked.user_id AND members.removed_at IS NULL
          AND (members.user_id, members.thread_id) > (%(after_user)s::text, %(after_thread)s::text)
        ORDER BY members.thread_id LIMIT %(limit)s
    ) k
    ORDER BY k.user_id, k.thread_id LIMIT %(limit)s
)
"""
MEMBERSHIPS_OF_THREAD: Final = """
(
    SELECT * FROM members
    WHERE members.thread_id = %(thread_id)s AND members.user_id = ANY (%(users)s::text[])
      AND members.removed_at IS NULL AND members.user_id > %(after_user)s::text
    ORDER BY members.user_id LIMIT %(limit)s
)
"""
_POSITIONS: Final = """
SELECT {columns}
FROM ({places}) p
{last_message}
{mentioned}
ORDER BY p.user_id, p.thread_id
"""


def _positions_of(members: str) -> str:
    # Without something unread there is no last message to show: no place has seq 0.
    shown = LAST_MESSAGE.replace("= p.last_seq", "= CASE WHEN p.last_seq > p.floor THEN p.last_seq ELSE 0 END")
    return _POSITIONS.format(
        columns=PLACE_COLUMNS, places=PLACES.format(members=members), last_message=shown, mentioned=MENTIONED
    )


POSITIONS: Final = _positions_of(MEMBERSHIPS)
POSITIONS_IN_THREAD: Final = _positions_of(MEMBERSHIPS_OF_THREAD)


class Place(NamedTuple):
    """The columns of PLACE_COLUMNS, those of the last message apart."""

    user_id: UserId
    thread_id: ThreadId
    rev: int
    last_seq: int
    read_seq: int
    marked_unread_seq: int | None
    muted: bool
    unread: int
    mention_seqs: list[int]
    last: PreviewRow


WIDTH: Final = len(Place._fields) - 1


def _place(row: tuple[Any, ...]) -> Place:
    return Place._make((*row[:WIDTH], PreviewRow(*row[WIDTH : WIDTH + len(PreviewRow._fields)])))


def _place_bytes(place: Place) -> int:
    """An upper bound of an item's JSON."""
    ids = len(place.user_id) + len(place.thread_id)
    return ITEM_BYTES + ids + SEQ_BYTES * len(place.mention_seqs) + preview_bytes(place.thread_id, place.last)


async def unread(connection: AsyncConnection, ask: AskUnread) -> dict[str, Any]:
    """contracts.queries.Unread, newest activity first, as many as fit a NATS message. The total counts all."""
    cursor = await connection.execute(UNREAD, {"user_id": ask.user_id, "limit": UNREAD_ITEMS_MAX})
    rows = await cursor.fetchall()
    total = rows[0][-1] if rows else 0
    places, _ = cut_bytes([_place(row) for row in rows], UNREAD_ITEMS_MAX, _place_bytes)
    return {"items": [_item(place) for place in places], "totalUnread": total}


def _item(place: Place) -> Json:
    """contracts.states.UnreadItem."""
    return {
        "threadId": place.thread_id,
        "lastSeq": place.last_seq,
        "readSeq": place.read_seq,
        "unread": place.unread,
        "mentions": len(place.mention_seqs),
        "muted": place.muted,
        "lastMessage": preview(place.thread_id, place.last),
    }


async def positions(connection: AsyncConnection, ask: AskPositions) -> dict[str, Any]:
    """contracts.queries.Positions."""
    after_user, after_thread = _parse_cursor(ask.cursor)
    cursor = await connection.execute(
        POSITIONS if ask.thread_id is None else POSITIONS_IN_THREAD,
        {
            "users": sorted(set(ask.user_ids)),
            "thread_id": ask.thread_id,
            "after_user": after_user,
            "after_thread": after_thread,
            "limit": ask.limit + 1,
        },
    )
    page, more = cut_bytes([_place(row) for row in await cursor.fetchall()], ask.limit, _place_bytes)
    return {"items": [_position(place) for place in page], "nextCursor": _cursor(page[-1]) if more else None}


def _position(place: Place) -> Json:
    """contracts.queries.Position."""
    return {
        "userId": place.user_id,
        "threadId": place.thread_id,
        "rev": place.rev,
        "lastSeq": place.last_seq,
        "readSeq": place.read_seq,
        "markedUnreadSeq": place.marked_unread_seq,
        "muted": place.muted,
        "mentionSeqs": place.mention_seqs,
        "lastMessage": preview(place.thread_id, place.last),
    }


def _cursor(last: Place) -> str:
    return base64.urlsafe_b64encode(encode_json([last.user_id, last.thread_id])).decode()


def _parse_cursor(cursor: str | None) -> tuple[str, str]:
    """(user, thread) behind which to go on; empty texts are before all ids."""
    if cursor is None:
        return "", ""
    try:
        user_id, thread_id = parse_json(base64.urlsafe_b64decode(cursor))
        return parse_user_id(user_id), parse_thread_id(thread_id)
    except (ValueError, TypeError, DecodeError):
        raise Refusal(ErrorCode.BAD_REQUEST, "cursor: not one of ours") from None

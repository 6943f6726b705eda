"""Full text over the caller's threads.

Promises: only threads that the caller is a member of now are searched; a page shows messages as they are now, so what
was deleted or edited away is not found; pages are keyed by the last hit, so nothing comes twice. A message can be found
once the indexer has come by. By rank, the newest `RANKED_MAX` matches are ranked: ranking all would have to read all.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskSearch
from chatterbus_persister.arrays import int_array, text_array
from chatterbus_persister.columns import message_row
from chatterbus_persister.frames import message_state
from chatterbus_persister.reads.access import require_member
from chatterbus_persister.reads.messages import message_chars
from chatterbus_persister.reads.page import cut
from chatterbus_persister.reads.search_cursor import (
    SEQ_MAX,
    Hit,
    RankPlace,
    newest_cursor,
    parse_newest_cursor,
    parse_rank_cursor,
    rank_cursor,
)
from chatterbus_persister.reads.search_hits import Scope, Wanted, newest_hits
from chatterbus_persister.reads.search_query import parse_query
from chatterbus_persister.statements import MESSAGE_COLUMNS

RANKED_MAX: Final = 300
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
AFTER_ALL_THREADS: Final = ThreadId("~")  # no id holds a character as high

SCOPES: Final = """
SELECT t.thread_id, t.last_seq, t.last_message_at
FROM members own JOIN threads t ON t.thread_id = own.thread_id
WHERE own.user_id = %(user_id)s AND own.removed_at IS NULL AND t.last_message_at IS NOT NULL
"""
RANKED: Final = """
SELECT r.rank, r.created_at, r.thread_id, r.seq
FROM (SELECT ts_rank_cd(s.tsv, %(query)s::tsquery) AS rank, s.created_at, s.thread_id, s.seq
      FROM unnest(%(threads)s::text[], %(seqs)s::bigint[]) AS k (thread_id, seq)
      JOIN message_search s ON s.thread_id = k.thread_id AND s.seq = k.seq) r
WHERE %(rank)s::real IS NULL
   OR (r.rank, r.created_at, r.thread_id, r.seq) < (%(rank)s::real, %(at)s::timestamptz, %(thread)s, %(seq)s)
ORDER BY r.rank DESC, r.created_at DESC, r.thread_id DESC, r.seq DESC LIMIT %(limit)s
"""
# U+0001 and U+0002 mark the matches, so they are taken out of the text first.
FOUND: Final = f"""
SELECT {MESSAGE_COLUMNS},
       ts_headline(%(language)s::regconfig, translate(normalize(m.content), E'\\x01\\x02', ''), %(query)s::tsquery,
                   %(options)s)
FROM unnest(%(threads)s::text[], %(seqs)s::bigint[]) WITH ORDINALITY AS k (thread_id, seq, place)
JOIN messages m ON m.thread_id = k.thread_id AND m.seq = k.seq
ORDER BY k.place
"""  # noqa: S608 - a constant
SNIPPET: Final = (
    'StartSel="\x01", StopSel="\x02", MaxFragments=2, MaxWords=25, MinWords=8, ShortWord=0, FragmentDelimiter=" … "'
)


async def search(connection: AsyncConnection, ask: AskSearch) -> dict[str, Any]:
    """contracts.queries.SearchPage. A thread that the caller may not see is refused as everywhere."""
    place = parse_rank_cursor(ask.cursor) if ask.order == "rank" else parse_newest_cursor(ask.cursor)
    scopes = await _scopes(connection, ask)
    query, language = await parse_query(connection, ask.text)
    if not query or not scopes:
        return {"items": [], "nextCursor": None}
    if isinstance(place, Hit) or (place is None and ask.order == "newest"):
        wanted = Wanted(query, language, place or _end(LATEST), ask.limit + 1)
        hits = await newest_hits(connection, scopes, wanted)
        cursors = [newest_cursor(hit) for hit in hits]
    else:
        wanted = Wanted(query, language, _end(LATEST if place is None else place.until), RANKED_MAX)
        ranked = await _ranked(connection, scopes, wanted, place, ask.limit + 1)
        hits, cursors = [each.hit for each in ranked], [rank_cursor(each) for each in ranked]
    return await _page(connection, wanted, hits, cursors, ask.limit)


def _end(at: datetime) -> Hit:
    """After every hit of that time."""
    return Hit(at, AFTER_ALL_THREADS, SEQ_MAX)


async def _scopes(connection: AsyncConnection, ask: AskSearch) -> list[Scope]:
    if ask.thread_id is None:
        cursor = await connection.execute(SCOPES, {"user_id": ask.user_id})
        return [Scope(*row) for row in await cursor.fetchall()]
    thread, _ = await require_member(connection, ask.thread_id, ask.user_id)
    if thread.last_message_at is None:
        return []
    return [Scope(thread.thread_id, thread.last_seq, thread.last_message_at)]


async def _ranked(
    connection: AsyncConnection, scopes: Sequence[Scope], wanted: Wanted, after: RankPlace | None, limit: int
) -> list[RankPlace]:
    hits = await newest_hits(connection, scopes, wanted)
    if not hits:
        return []
    until = hits[0].created_at if after is None else after.until
    parameters = {
        **_places(hits),
        "query": wanted.query,
        "rank": None if after is None else after.rank,
        "at": None if after is None else after.hit.created_at,
        "thread": None if after is None else after.hit.thread_id,
        "seq": None if after is None else after.hit.seq,
        "limit": limit,
    }
    cursor = await connection.execute(RANKED, parameters)
    return [RankPlace(until, rank, Hit(*hit)) for rank, *hit in await cursor.fetchall()]


async def _page(
    connection: AsyncConnection, wanted: Wanted, hits: Sequence[Hit], cursors: Sequence[str], limit: int
) -> dict[str, Any]:
    parameters = {**_places(hits[:limit]), "query": wanted.query, "language": wanted.language, "options": SNIPPET}
    cursor = await connection.execute(FOUND, parameters)
    found = [(message_row(row[:-1]), row[-1]) for row in await cursor.fetchall()]
    page, short = cut(found, limit, lambda item: message_chars(item[0]) + len(item[1]))
    more = short or len(hits) > limit
    return {
        "items": [{"message": message_state(row), "snippet": snippet} for row, snippet in page],
        "nextCursor": cursors[len(page) - 1] if more else None,
    }


def _places(hits: Sequence[Hit]) -> dict[str, str]:
    return {"threads": text_array(hit.thread_id for hit in hits), "seqs": int_array(hit.seq for hit in hits)}

"""The newest matches in a set of threads: two ways to find the same, and the choice between them.

By words: the GIN index gives every match in the store, and those in the caller's threads are kept. Right for words that
few messages have. By threads: each thread is walked from its newest message back until enough match. Right for words
that are everywhere, of which an inverted index would give millions. PostgreSQL's own estimate decides.

Promises: both give the same hits; a message that was deleted, or edited so that it matches no more, is no hit even
before the index knows. By threads, the most recently active ones come first, and what they hold bounds the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from chatterbus_contracts.ids import ThreadId
from chatterbus_persister.arrays import text_array
from chatterbus_persister.reads.search_cursor import Hit

# An edited message's row in the index is of an older rev until the indexer comes by: then its text is looked at.
_TRUE_NOW: Final = """
m.deleted_at IS NULL
AND (m.rev = s.rev OR to_tsvector(%(language)s::regconfig, normalize(m.content)) @@ %(query)s::tsquery)
"""
_BEFORE: Final = """
(s.created_at, s.thread_id, s.seq) < (%(before_at)s::timestamptz, %(before_thread)s, %(before_seq)s)
"""

ESTIMATE: Final = "EXPLAIN (FORMAT JSON) SELECT FROM message_search s WHERE s.tsv @@ %(query)s::tsquery"

BY_WORDS: Final = f"""
WITH found AS MATERIALIZED (
    SELECT s.thread_id, s.seq, s.rev, s.created_at FROM message_search s WHERE s.tsv @@ %(query)s::tsquery
)
SELECT s.created_at, s.thread_id, s.seq
FROM found s JOIN messages m ON m.thread_id = s.thread_id AND m.seq = s.seq
WHERE s.thread_id = ANY (%(threads)s::text[]) AND {_BEFORE} AND {_TRUE_NOW}
ORDER BY s.created_at DESC, s.thread_id DESC, s.seq DESC LIMIT %(limit)s
"""  # noqa: S608 - constants

# `IS TRUE` keeps the inverted index out of it: it would be read as a whole for each thread. The inner LIMIT keeps each
# message a lookup by its key: joined otherwise, a whole thread would be read for the newest of it.
BY_THREADS: Final = f"""
SELECT h.created_at, h.thread_id, h.seq
FROM unnest(%(threads)s::text[]) AS k (thread_id)
CROSS JOIN LATERAL (
    SELECT s.created_at, s.thread_id, s.seq
    FROM message_search s
    CROSS JOIN LATERAL (
        SELECT FROM messages m WHERE m.thread_id = s.thread_id AND m.seq = s.seq AND {_TRUE_NOW} LIMIT 1
    ) now
    WHERE s.thread_id = k.thread_id COLLATE "C" AND (s.tsv @@ %(query)s::tsquery) IS TRUE
      AND s.created_at BETWEEN %(not_before)s::timestamptz AND %(before_at)s::timestamptz AND {_BEFORE}
    ORDER BY s.created_at DESC, s.seq DESC LIMIT %(limit)s
) h
ORDER BY h.created_at DESC, h.thread_id DESC, h.seq DESC LIMIT %(limit)s
"""  # noqa: S608 - constants

FEW: Final = 2_000  # matches in the whole store that are looked up in some 10 ms
SHARE_OF_VISIBLE: Final = 80  # or this part of what the caller may see, all of which the other way may have to read
FIRST_THREADS: Final = 8  # walked first, then four times as many, and so on
GROWTH: Final = 4
CLOCK_SLACK: Final = timedelta(seconds=60)  # by which a message may be older than the one before it


@dataclass(frozen=True, slots=True)
class Scope:
    """One thread that is searched: how many messages it has had, and when the last one came."""

    thread_id: ThreadId
    last_seq: int
    last_message_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question to the index: a tsquery's normal form, the language, the hits before `before`, at most `limit`."""

    query: str
    language: str
    before: Hit
    limit: int


async def newest_hits(connection: AsyncConnection, scopes: Sequence[Scope], wanted: Wanted) -> list[Hit]:
    """The newest first."""
    visible = sum(scope.last_seq for scope in scopes)
    if await _estimate(connection, wanted.query) <= max(FEW, visible // SHARE_OF_VISIBLE):
        return await _hits(connection, BY_WORDS, [scope.thread_id for scope in scopes], wanted)
    return await by_threads(connection, scopes, wanted)


async def by_words(connection: AsyncConnection, scopes: Sequence[Scope], wanted: Wanted) -> list[Hit]:
    """Every match in the store, and those in these threads of them."""
    return await _hits(connection, BY_WORDS, [scope.thread_id for scope in scopes], wanted)


async def by_threads(connection: AsyncConnection, scopes: Sequence[Scope], wanted: Wanted) -> list[Hit]:
    """Thread by thread, those first whose last message is newest."""
    scopes = sorted(scopes, key=lambda scope: scope.last_message_at, reverse=True)
    hits: list[Hit] = []
    start, width = 0, FIRST_THREADS
    while start < len(scopes):
        enough = len(hits) == wanted.limit
        if enough and scopes[start].last_message_at + CLOCK_SLACK < hits[-1].created_at:
            break
        threads = [scope.thread_id for scope in scopes[start : start + width]]
        not_before = hits[-1].created_at if enough else None
        found = await _hits(connection, BY_THREADS, threads, wanted, not_before)
        hits = sorted([*hits, *found], reverse=True)[: wanted.limit]
        start, width = start + width, width * GROWTH
    return hits


async def _hits(
    connection: AsyncConnection,
    statement: str,
    threads: Sequence[ThreadId],
    wanted: Wanted,
    not_before: datetime | None = None,
) -> list[Hit]:
    parameters: dict[str, Any] = {
        "query": wanted.query,
        "language": wanted.language,
        "threads": text_array(threads),
        "before_at": wanted.before.created_at,
        "before_thread": wanted.before.thread_id,
        "before_seq": wanted.before.seq,
        "not_before": not_before or "-infinity",
        "limit": wanted.limit,
    }
    # Planned for these words each time: a plan for any words is a bad one for most.
    cursor = await connection.execute(statement.encode(), parameters, prepare=False)
    return [Hit(*row) for row in await cursor.fetchall()]


async def _estimate(connection: AsyncConnection, query: str) -> float:
    """How many messages of the store match, as the planner believes: from statistics, without looking."""
    cursor = await connection.execute(ESTIMATE, {"query": query}, prepare=False)
    row = await cursor.fetchone()
    return 0.0 if row is None else float(row[0][0]["Plan"]["Plan Rows"])

"""A ledger with a long past: rows as the ledger would have written them, written by PostgreSQL itself.

One thread is long, the others have a thousand messages each, and all of them grew at the same time: the messages of a
thread lie as far from each other on the disk as in a ledger that is years old. Without words for the search.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg

LONG: Final = "long"
READER: Final = "ann"
EACH: Final = 1_000
CHUNK: Final = 200_000
REVS_BEFORE: Final = 2
"""The thread, and its members."""

MESSAGES: Final = """
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at,
                      created_rev)
SELECT thread_id, seq, seq + %(before)s, CASE seq %% 2 WHEN 0 THEN 'ann' ELSE 'bob' END, 'user', md5(n::text), 'text',
       repeat('x', 100), now() - (%(total)s - n) * interval '1 second', seq + %(before)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
CROSS JOIN LATERAL (SELECT n - n / %(stride)s - 1 AS rest) r
CROSS JOIN LATERAL (
    SELECT CASE n %% %(stride)s WHEN 0 THEN %(long)s ELSE 'past-' || rest %% %(others)s END AS thread_id,
           CASE n %% %(stride)s WHEN 0 THEN n / %(stride)s ELSE rest / %(others)s + 1 END AS seq
) t
"""
THREADS: Final = """
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev, last_message_at, member_count)
SELECT thread_id, 'ann', min(created_at), max(seq), max(rev), max(created_at), 2 FROM messages GROUP BY thread_id
"""
MEMBERS: Final = """
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, read_seq, delivered_seq)
SELECT thread_id, user_id, 'user', role, created_at, last_seq, last_seq
FROM threads CROSS JOIN (VALUES ('ann', 'owner'), ('bob', 'member')) AS m (user_id, role)
"""


@dataclass(frozen=True, slots=True)
class Past:
    """`lengths` is for threads to look into, by name: how many messages they have."""

    lengths: dict[str, int]


def fill(dsn: str, messages: int, thread: int, tell: Callable[[int], None]) -> Past:
    """An empty ledger gets `messages`, of which the long thread has `thread`. `tell` hears how many are there."""
    stride = messages // thread
    others = max(1, (messages - messages // stride) // EACH)
    facts = {"before": REVS_BEFORE, "total": messages, "stride": stride, "others": others, "long": LONG}
    with psycopg.connect(dsn, autocommit=True) as connection:
        for first in range(1, messages + 1, CHUNK):
            last = min(first + CHUNK - 1, messages)
            connection.execute(MESSAGES, {**facts, "first": first, "last": last})
            tell(last)
        connection.execute(THREADS)
        connection.execute(MEMBERS)
        connection.execute("VACUUM (ANALYZE) messages, threads, members")
        rows = connection.execute("SELECT thread_id, last_seq FROM threads ORDER BY last_seq DESC LIMIT 200").fetchall()
    return Past(dict(rows))


def size_bytes(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])

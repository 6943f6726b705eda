"""Search goes along indexes, whichever way it takes, and takes the right one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from chatterbus_contracts.ids import ThreadId
from chatterbus_persister import statements as ledger_statements
from chatterbus_persister.arrays import text_array
from chatterbus_persister.reads import search_hits
from chatterbus_persister.reads.search_cursor import Hit
from chatterbus_persister.reads.search_hits import Scope, Wanted, newest_hits
from chatterbus_persister.search import statements as search_statements
from tests.kit.postgres_server import Database, PostgresServer

THREADS, PER_THREAD = 100, 400
FILL = f"""
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at,
                      created_rev)
SELECT 't' || t, n, n, 'ann', 'user', 'c' || n, 'text',
       'everywhere ' || (n * 7919 + t) % 5000 || CASE WHEN n = 7 AND t = 7 THEN ' needle' ELSE '' END,
       timestamptz '2026-01-01' + interval '1 second' * (n * {THREADS} + t), n
FROM generate_series(1, {PER_THREAD}) n, generate_series(1, {THREADS}) t;
INSERT INTO message_search SELECT thread_id, seq, rev, created_at, to_tsvector('simple', content) FROM messages;
"""
LAST = datetime(2026, 3, 1, tzinfo=UTC)
ALL = [ThreadId(f"t{number}") for number in range(1, THREADS + 1)]


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer) -> Iterator[Database]:
    database = postgres_server.fresh_database()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(FILL.encode())
        connection.execute("VACUUM ANALYZE")
    yield database
    database.drop()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize(
    ("statement", "query", "index"),
    [
        (search_hits.BY_WORDS, "'needle'", "message_search_words"),
        (search_hits.BY_WORDS, "'12':*", "message_search_words"),
        (search_hits.BY_THREADS, "'everywhere'", "message_search_by_time"),
    ],
)
def test_each_way_goes_along_its_index(filled: Database, statement: str, query: str, index: str) -> None:
    parameters = {
        "query": query,
        "language": "simple",
        "threads": text_array(ALL[:8]),
        "before_at": LAST,
        "before_thread": "~",
        "before_seq": 1,
        "not_before": "-infinity",
        "limit": 21,
    }
    with psycopg.connect(filled.dsn) as connection:
        row = psycopg.ClientCursor(connection).execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), parameters)
        plan = list(nodes(row.fetchall()[0][0][0]["Plan"]))
    assert "Seq Scan" not in {node["Node Type"] for node in plan}
    assert {index, "messages_pkey"} <= {node.get("Index Name") for node in plan}


@pytest.mark.parametrize(
    ("session", "statement"),
    [
        (search_statements.SESSION_SETTINGS, search_statements.GATHER),
        (search_statements.SESSION_SETTINGS, search_statements.FORGET),
        (ledger_statements.SESSION_SETTINGS, ledger_statements.APPLY_BATCH),
        (ledger_statements.SESSION_SETTINGS, ledger_statements.LOAD_MEMBERS),
    ],
    ids=["gather", "forget", "apply a batch", "load members"],
)
def test_a_plan_made_while_tables_are_small_reads_by_key_all_the_same(
    postgres: Database, session: str, statement: str
) -> None:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    query = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute(session.encode(), {"idle_ms": "0", "statement_ms": "0"})
        row = psycopg.ClientCursor(connection).execute(f"EXPLAIN (FORMAT JSON, GENERIC_PLAN) {query}".encode())
        plan = list(nodes(row.fetchall()[0][0][0]["Plan"]))
    assert {node["Node Type"] for node in plan}.isdisjoint({"Seq Scan", "Hash Join", "Merge Join"})


@pytest.mark.parametrize(
    ("query", "first", "by_words"), [("'everywhere'", f"t{THREADS}", False), ("'needle'", "t7", True)]
)
async def test_rare_words_are_looked_up_and_common_ones_are_come_across(
    filled: Database, query: str, first: str, by_words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    hits = search_hits._hits

    async def noting(connection: Any, statement: str, *rest: Any) -> list[Hit]:
        used.append(statement)
        return await hits(connection, statement, *rest)

    monkeypatch.setattr(search_hits, "_hits", noting)
    scopes = [Scope(thread, PER_THREAD, LAST) for thread in ALL]
    async with await psycopg.AsyncConnection.connect(filled.dsn) as connection:
        found = await newest_hits(connection, scopes, Wanted(query, "simple", Hit(LAST, ThreadId("~"), 1), 21))
    assert found[0].thread_id == first
    assert set(used) == {search_hits.BY_WORDS if by_words else search_hits.BY_THREADS}

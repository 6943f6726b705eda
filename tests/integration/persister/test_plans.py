"""A long thread costs what a short one does: its statements go along indexes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from chatterbus_persister import statements
from chatterbus_persister.reads import access, changes, messages, threads
from tests.kit.postgres_server import Database, PostgresServer

MESSAGES = 50_000
FILL = f"""
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev)
VALUES ('t', 'ann', now(), {MESSAGES}, {MESSAGES + 2});
INSERT INTO members (thread_id, user_id, user_type, role, joined_at) VALUES ('t', 'ann', 'user', 'owner', now());
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at)
SELECT 't', n, n + 2, 'ann', 'user', 'c' || n, 'text', 'hello', now() FROM generate_series(1, {MESSAGES}) AS n;
INSERT INTO threads (thread_id, created_by, created_at) SELECT 'x' || n, 'bob', now() FROM generate_series(1, 3000) n;
INSERT INTO members (thread_id, user_id, user_type, role, joined_at)
SELECT 'x' || n, 'u' || n % 1000, 'user', 'owner', now() FROM generate_series(1, 3000) n;
"""
STATEMENTS = {
    "history before": (messages.BEFORE, "messages_pkey"),
    "history after": (messages.AFTER, "messages_pkey"),
    "one message": (messages.ONE, "messages_pkey"),
    "changes": (changes.SINCE, "messages_by_rev"),
    "lookup of sends": (statements.LOAD_SENDS, "messages_once"),
    "last messages": (threads.LAST_MESSAGES, "messages_pkey"),
    "lookup of threads": (statements.LOAD_THREADS, "threads_pkey"),
    "lookup of members": (statements.LOAD_MEMBERS, "members_pkey"),
    "a thread for its member": (access.THREAD_AND_MEMBER, "members_pkey"),
    "unread": (threads.UNREAD, "members_by_user"),
}
TYPES = {"seq": "bigint", "rev": "bigint", "limit": "bigint", "ids": "text[]", "seqs": "bigint[]"}


@pytest.fixture(scope="module")
def long_thread(postgres_server: PostgresServer) -> Iterator[Database]:
    database = postgres_server.fresh_database()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(FILL.encode())
        connection.execute("VACUUM ANALYZE")
    yield database
    database.drop()


def generic_plan(connection: psycopg.Connection[Any], statement: str) -> list[dict[str, Any]]:
    """Every node of the plan that serves any parameters, as the ledger's session has them made."""
    names: dict[str, str] = {}
    numbered = re.sub(r"%\((\w+)\)s", lambda found: names.setdefault(found[1], f"${len(names) + 1}"), statement)
    for name, number in names.items():
        if name in TYPES:
            numbered = re.sub(rf"\{number}(?!\d|::)", f"{number}::{TYPES[name]}", numbered)
    cursor = psycopg.ClientCursor(connection)
    row = cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}".encode()).fetchone()
    assert row is not None
    (top,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(nodes(top["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_goes_along_its_index_in_a_thread_of_50_000_messages(long_thread: Database, name: str) -> None:
    statement, index = STATEMENTS[name]
    with psycopg.connect(long_thread.dsn) as connection:
        connection.execute(statements.SESSION_SETTINGS, {"idle_ms": "20000", "statement_ms": "15000"})
        plan = generic_plan(connection, statement)
    scanned = [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"]
    assert scanned == []
    assert index in {node.get("Index Name") for node in plan}
    assert not [node for node in plan if node["Node Type"] == "Sort" and name.startswith(("history", "changes"))]


@pytest.mark.parametrize("start", [2, 25_000, MESSAGES])
def test_a_page_of_history_reads_as_little_anywhere_in_the_thread(long_thread: Database, start: int) -> None:
    with psycopg.connect(long_thread.dsn) as connection:
        cursor = psycopg.ClientCursor(connection)
        row = cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {messages.BEFORE}".encode(),
            {"thread_id": "t", "seq": start, "limit": 51},
        ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 60

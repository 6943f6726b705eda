"""A long thread costs what a short one does: its statements go along indexes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from chatterbus_contracts.limits import THREADS_PAGE_MAX
from chatterbus_contracts.queries import AskContacts, AskPositions, AskSharing, AskThreads, AskUnread
from chatterbus_persister import statements
from chatterbus_persister.reads import access, changes, contacts, messages, missed, revs, threads, unread
from chatterbus_persister.store_service import prepare_connection
from tests.kit.postgres_server import Database, PostgresServer

MESSAGES = 50_000
FILL = f"""
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev)
VALUES ('t', 'ann', now(), {MESSAGES}, {MESSAGES + 2});
INSERT INTO members (thread_id, user_id, user_type, role, joined_at) VALUES ('t', 'ann', 'user', 'owner', now());
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at,
                      created_rev)
SELECT 't', n, n + 2, 'ann', 'user', 'c' || n, 'text', 'hello', now(), n + 2 FROM generate_series(1, {MESSAGES}) AS n;
INSERT INTO message_revisions (thread_id, seq, revision, content, edited_by, replaced_at)
SELECT 't', n, 1, 'former', 'ann', now() FROM generate_series(1, {MESSAGES}, 5) AS n;
INSERT INTO cursor_history (thread_id, user_id, kind, seq, at)
SELECT 't', 'u' || n % 100, 1 + n % 2, n, now() FROM generate_series(1, {MESSAGES}) AS n;
INSERT INTO attachments (thread_id, attachment_id, owner_id, name, content_type, size_bytes, created_at, seq)
SELECT 't', 't~f' || lpad(to_hex(n), 32, '0'), 'ann', 'name', 'image/png', 1, now(), n
FROM generate_series(1, {MESSAGES}, 5) AS n;
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
    "lookup of owners": (statements.LOAD_OWNERS, "members_pkey"),
    "lookup of messages": (statements.LOAD_MESSAGES, "messages_pkey"),
    "lookup of files": (statements.LOAD_ATTACHMENTS, "attachments_pkey"),
    "change of messages": (statements.UPDATE_MESSAGES, "messages_pkey"),
    "texts that go": (statements.FORGET_REVISIONS, "message_revisions_pkey"),
    "revisions": (messages.REVISIONS, "message_revisions_pkey"),
    "receipts of a message": (messages.MESSAGE_RECEIPTS, "cursor_history_pkey"),
    "unread": (unread.UNREAD, "members_by_user"),
    "last messages of what is unread": (unread.UNREAD, "messages_pkey"),
    "mentions in what is unread": (unread.UNREAD, "messages_with_mentions"),
    "positions": (unread.POSITIONS, "members_by_user"),
    "mentions of positions": (unread.POSITIONS, "messages_with_mentions"),
    "positions in a thread": (unread.POSITIONS_IN_THREAD, "members_by_user"),
    "contacts": (contacts.CONTACTS, "members_by_user"),
    "members of contacts' threads": (contacts.CONTACTS, "members_pkey"),
    "sharing, from one's few threads": (contacts.SHARING_OF_FEW, "members_by_user"),
    "sharing, from the others' threads": (contacts.SHARING_OF_MANY, "members_by_user"),
    "how far threads are": (revs.REVS, "threads_pkey"),
    "the thread of what is missed": (missed.THREAD, "threads_pkey"),
    "who misses something": (missed.WAITING, "members_pkey"),
    "what is missed": (missed.WAITING, "messages_pkey"),
    "mentions in what is missed": (missed.MENTIONS, "messages_with_mentions"),
}
TYPES = {
    "seq": "bigint",
    "rev": "bigint",
    "limit": "bigint",
    "floor": "bigint",
    "ids": "text[]",
    "seqs": "bigint[]",
    "after": "text",
}
THREADS = 10_000
INBOX = f"""
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev, last_message_at, member_count)
SELECT 'x' || n, 'bob', now() - n * interval '1 min', 3, 5, now() - n % 777 * interval '1 h', 2
FROM generate_series(1, {6 * THREADS}) n;
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, read_seq, archived_seq, marked_unread_seq)
SELECT 'x' || n, CASE WHEN n % 6 = 0 THEN 'ann' ELSE 'u' || n END, 'user', 'owner', now(), n % 4,
       CASE WHEN n % 5 = 0 THEN 3 END, CASE WHEN n % 7 = 0 THEN 1 END
FROM generate_series(1, {6 * THREADS}) n;
INSERT INTO members (thread_id, user_id, user_type, role, joined_at)
SELECT 'x' || n, 'bob' || n % 50, 'user', 'member', now() FROM generate_series(1, {6 * THREADS}) n;
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at,
                      created_rev)
SELECT 'x' || n, seq, seq + 2, 'bob', 'user', 'c' || seq, 'text', 'hello', now(), seq + 2
FROM generate_series(6, {6 * THREADS}, 6) n, generate_series(1, 3) seq;
"""
PATIENCE_S = 0.15
TRIES = 5
PAGES = 5


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


def test_what_is_missed_looks_at_a_part_of_a_long_thread_even_if_none_of_it_counts(long_thread: Database) -> None:
    with psycopg.connect(long_thread.dsn) as connection:
        cursor = psycopg.ClientCursor(connection)
        row = cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {missed.WAITING}".encode(),
            {"thread_id": "t", "after": "", "limit": 501},
        ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    most = max(node["Actual Rows"] for node in nodes(plan) if node.get("Relation Name") == "messages")
    assert most <= missed.LOOKED_AT
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 200


@pytest.fixture(scope="module")
def inbox(postgres_server: PostgresServer) -> Iterator[Database]:
    """Ann has 10,000 threads of 60,000."""
    database = postgres_server.fresh_database()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(INBOX.encode())
        connection.execute("VACUUM ANALYZE")
    yield database
    database.drop()


class Watched:
    """A connection that keeps the plans of what it executes."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection
        self.nodes: list[dict[str, Any]] = []

    async def execute(self, statement: str, parameters: dict[str, Any]) -> psycopg.AsyncCursor:
        explained = await psycopg.AsyncClientCursor(self._connection).execute(
            f"EXPLAIN (FORMAT JSON) {statement}".encode(), parameters
        )
        row = await explained.fetchone()
        assert row is not None
        self.nodes += nodes(row[0][0]["Plan"])
        return await self._connection.execute(statement.encode(), parameters)


QUESTIONS = {
    "the list": (threads.threads, AskThreads(user_id="ann")),  # type: ignore[arg-type]
    "the archive": (threads.threads, AskThreads(user_id="ann", archived=True, limit=THREADS_PAGE_MAX)),  # type: ignore[arg-type]
    "what is unread": (unread.unread, AskUnread(user_id="ann")),  # type: ignore[arg-type]
    "positions": (unread.positions, AskPositions(user_ids=["ann"])),  # type: ignore[list-item]
    "contacts": (contacts.contacts, AskContacts(user_id="ann")),  # type: ignore[arg-type]
    "who shares a thread": (contacts.sharing, AskSharing(user_id="ann", others=["bob1", "bob2", "u1"])),  # type: ignore[arg-type,list-item]
}


@pytest.mark.parametrize("name", QUESTIONS)
async def test_ten_thousand_threads_of_one_user_are_answered_along_indexes_and_fast(inbox: Database, name: str) -> None:
    read, ask = QUESTIONS[name]
    async with await psycopg.AsyncConnection.connect(inbox.dsn) as connection:
        await prepare_connection(connection)
        watched = Watched(connection)
        await read(watched, ask)  # type: ignore[operator]
        times_s = []
        for _ in range(TRIES):
            started = time.monotonic()
            answer = await read(connection, ask)  # type: ignore[operator]
            times_s.append(time.monotonic() - started)
    scanned = [node["Relation Name"] for node in watched.nodes if node["Node Type"] == "Seq Scan"]
    assert scanned == []
    assert answer.get("items") or answer["userIds"]
    assert min(times_s) < PATIENCE_S


async def test_pages_of_a_long_list_meet_no_thread_twice(inbox: Database) -> None:
    async with await psycopg.AsyncConnection.connect(inbox.dsn) as connection:
        await prepare_connection(connection)
        met: list[str] = []
        for archived in (False, True):
            page: dict[str, Any] = {"nextCursor": None}
            pages = 0
            while pages < PAGES and (pages == 0 or page["nextCursor"] is not None):
                ask = AskThreads(user_id="ann", archived=archived, cursor=page["nextCursor"], limit=THREADS_PAGE_MAX)  # type: ignore[arg-type]
                page = await threads.threads(connection, ask)
                met += [item["id"] for item in page["items"]]
                pages += 1
    assert len(set(met)) == len(met) == 2 * PAGES * THREADS_PAGE_MAX

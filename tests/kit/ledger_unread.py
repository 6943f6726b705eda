"""The property of what is unread: whoever counts it, and from whatever, counts the same.

A workload of every command runs in batches over a store, and now and then the process is lost before it announced one.
Held after each batch that was announced: who heard the events and the own states knows every member's read cursor,
mark and mute (`Follower`). Where the store answers SQL, its answers are what the tables say (`check_answers`), and
counts made from positions are those of `unread`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.limits import PREVIEW_CHARS
from chatterbus_contracts.queries import (
    QUERIES,
    AskContacts,
    AskMissed,
    AskPositions,
    AskSharing,
    AskUnread,
)
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.ledger.rows import MemberRow, MessageRow
from chatterbus_persister.store_service import READS
from tests.kit.ledger_fake import Tables
from tests.kit.ledger_since_rev import THREADS, Batches
from tests.kit.ledger_worker import Ledger, Said
from tests.kit.ledger_workload import beginning

USERS = ("ann", "bob", "cid", "zoe", "nobody")
Place = tuple[str, str]
Own = tuple[int, int | None, bool]


class Follower:
    """Read cursor, mark and mute of every member, from what is announced. Who becomes a member, or whose membership
    changed unheard (its command's sender was gone when it should have been told again), is looked up."""

    def __init__(self) -> None:
        self.known: dict[Place, Own] = {}
        self._memberships: dict[Place, int] = {}

    def hear(self, said: Said, tables: Tables) -> None:
        for place, row in tables.members.items():
            if row.membership_rev > self._memberships.get(place, 0):
                self._memberships[place] = row.membership_rev
                self.known[place] = _own_of(row)
        for frame in said.frames:
            if frame["type"] == "message":
                self._read(frame["threadId"], frame["data"]["senderId"], frame["data"]["seq"])
            elif frame["type"] == "read_receipt":
                self._read(frame["threadId"], frame["userId"], frame["seq"])
        for line in said.own_states:
            self.known[(line.thread_id, line.user_id)] = (line.read_seq, line.marked_unread_seq, line.muted)

    def _read(self, thread: str, user: str, seq: int) -> None:
        read, *rest = self.known.get((thread, user), (0, None, False))
        self.known[(thread, user)] = (max(read, seq), *rest)  # type: ignore[assignment]


def _own_of(row: MemberRow) -> Own:
    return row.read_seq, row.marked_unread_seq, row.muted


class Counting:
    """One run over a ledger with an empty store. `sql`: it answers the statements of `reads`."""

    def __init__(self, ledger: Ledger, policy: LedgerPolicy, chance: Random, *, sql: bool) -> None:
        ledger.policy = policy
        self._ledger = ledger
        self._chance = chance
        self._sql = sql
        self._follower = Follower()

    async def run(self, batches: Batches) -> None:
        for batch in [[command for thread in THREADS for command in beginning(thread)], *batches]:
            self._ledger.publish(*batch)
            if self._chance.random() < 0.3:
                await self._ledger.crash()
                continue
            await self._heard(await self._ledger.work())
        await self._heard(await self._ledger.work())

    async def _heard(self, said: Said) -> None:
        tables = await self._ledger.store.read_tables()
        self._follower.hear(said, tables)
        now = {place: _own_of(row) for place, row in tables.members.items() if row.removed_at is None}
        assert {place: self._follower.known[place] for place in now} == now
        if self._sql:
            await check_answers(self._ledger, tables, self._chance)


async def answer(ledger: Ledger, name: str, question: Any) -> dict[str, Any]:
    """What the store service would answer, checked against its model."""
    found = await ledger.ask(READS[name], question)
    decode_answer(name, found)
    return found


def decode_answer(name: str, found: dict[str, Any]) -> None:
    model = QUERIES[name].answer
    assert encode_json(model.model_validate_json(encode_json(found)).model_dump(mode="json", by_alias=True)) == (
        encode_json(found)
    )


async def check_answers(ledger: Ledger, tables: Tables, chance: Random) -> None:
    """unread, positions, missed, contacts and sharing, for all users and threads."""
    items = await all_positions(ledger, list(USERS), chance.randint(1, 5))
    places = _places(tables)
    assert [(item["userId"], item["threadId"]) for item in items] == sorted(
        (row.user_id, row.thread_id) for row in places
    )
    counted: dict[str, dict[str, Any]] = {user: {} for user in USERS}
    for item in items:
        row = tables.members[(item["threadId"], item["userId"])]
        _check_position(tables, row, item)
        if unread_in(item):
            counted[item["userId"]][item["threadId"]] = _as_unread(item)
    for user, threads in counted.items():
        found = await answer(ledger, "unread", AskUnread(user_id=user))  # type: ignore[arg-type]
        assert {item["threadId"]: item for item in found["items"]} == threads
        assert found["totalUnread"] == sum(item["unread"] for item in threads.values() if not item["muted"])
        await _check_contacts(ledger, places, user)
    for thread in tables.threads:
        await _check_missed(ledger, tables, thread, chance.randint(1, 3))


async def all_positions(ledger: Ledger, users: list[str], limit: int, thread: str | None = None) -> list[Any]:
    """Page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor is not None or not items:
        ask = AskPositions(user_ids=users, thread_id=thread, cursor=cursor, limit=limit)  # type: ignore[arg-type]
        page = await answer(ledger, "positions", ask)
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    return items


def unread_in(position: dict[str, Any]) -> int:
    """As a client of positions counts."""
    mark = position["markedUnreadSeq"]
    floor = position["readSeq"] if mark is None else min(position["readSeq"], mark - 1)
    return int(position["lastSeq"]) - int(floor)


def _as_unread(position: dict[str, Any]) -> dict[str, Any]:
    same = ("threadId", "lastSeq", "readSeq", "muted", "lastMessage")
    return {
        **{name: position[name] for name in same},
        "unread": unread_in(position),
        "mentions": len(position["mentionSeqs"]),
    }


def _places(tables: Tables) -> list[MemberRow]:
    return [row for row in tables.members.values() if row.removed_at is None]


def _unread_rows(tables: Tables, row: MemberRow) -> list[MessageRow]:
    last_seq = tables.threads[row.thread_id].last_seq
    return [tables.messages[(row.thread_id, last_seq - n)] for n in range(row.unread_of(last_seq))]


def _mentions(tables: Tables, row: MemberRow) -> list[int]:
    return [each.seq for each in _unread_rows(tables, row) if row.user_id in each.mentions and each.deleted_at is None]


def _check_position(tables: Tables, row: MemberRow, item: dict[str, Any]) -> None:
    thread = tables.threads[row.thread_id]
    assert (item["rev"], item["lastSeq"]) == (thread.last_rev, thread.last_seq)
    assert (item["readSeq"], item["markedUnreadSeq"], item["muted"]) == _own_of(row)
    assert item["mentionSeqs"] == _mentions(tables, row)
    rows = _unread_rows(tables, row)
    assert (item["lastMessage"] is None) == (not rows)
    if rows:
        last, shown = rows[0], item["lastMessage"]
        assert (shown["id"], shown["senderId"], shown["deleted"]) == (last.id, last.sender_id, bool(last.deleted_at))
        assert (shown["content"], shown["attachments"]) == (last.content[:PREVIEW_CHARS], len(last.attachments or ()))


async def _check_contacts(ledger: Ledger, places: list[MemberRow], user: str) -> None:
    threads = {row.thread_id for row in places if row.user_id == user}
    others = sorted({row.user_id for row in places if row.thread_id in threads and row.user_id != user})
    found: list[str] = []
    after: str | None = None
    for _ in range(len(USERS)):
        page = await answer(ledger, "contacts", AskContacts(user_id=user, after=after, limit=2))  # type: ignore[arg-type]
        found += page["userIds"]
        after = page["nextCursor"]
        if after is None:
            break
    assert found == others
    shared = await answer(ledger, "sharing", AskSharing(user_id=user, others=list(USERS)))  # type: ignore[arg-type]
    assert sorted(shared["userIds"]) == others


async def _check_missed(ledger: Ledger, tables: Tables, thread: str, limit: int) -> None:
    expected = {}
    for row in _places(tables):
        counting = [
            each.seq for each in _unread_rows(tables, row) if each.deleted_at is None and each.sender_id != row.user_id
        ]
        if row.thread_id == thread and not row.muted and counting:
            last_seq = tables.threads[row.thread_id].last_seq
            expected[row.user_id] = (row.unread_of(last_seq), len(_mentions(tables, row)), min(counting))
    found: list[dict[str, Any]] = []
    after: str | None = None
    for _ in range(len(USERS)):
        page = await answer(ledger, "missed", AskMissed(thread_id=thread, unread_for_s=0, after=after, limit=limit))  # type: ignore[arg-type]
        found += page["items"]
        after = page["nextCursor"]
        if after is None:
            break
    assert [item["userId"] for item in found] == sorted(expected)
    assert {item["userId"]: (item["unread"], item["mentions"], item["firstUnreadSeq"]) for item in found} == expected

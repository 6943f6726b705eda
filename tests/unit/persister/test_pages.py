"""Pages: by count, by bytes, and never inside a rev."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import HISTORY_PAGE_MAX, PAGE_MAX_BYTES
from chatterbus_contracts.queries import AskChanges, AskHistory
from chatterbus_contracts.states import MessageType, Role
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.reads.changes import changes
from chatterbus_persister.reads.messages import history
from chatterbus_persister.reads.page import BYTES_PER_CHAR, ITEM_OVERHEAD_BYTES, cut
from tests.kit.ledger_fake import FakeConnection, Tables
from tests.kit.ledger_worker import START

NATS_PAYLOAD_MAX_BYTES = 1 << 20
ATTACHMENT = {
    "id": "t" * 128 + "~f" + "0" * 32,
    "name": "é" * 255,
    "contentType": "image/png",
    "sizeBytes": 2**31,
    "width": 10_000,
    "height": 10_000,
    "thumbnail": True,
}


def thread_of(messages: int, **fields: object) -> Tables:
    """A thread "t" of ann, who wrote all of it."""
    tables = Tables()
    thread, ann = ThreadId("t"), UserId("ann")
    tables.threads[thread] = ThreadRow(thread, None, None, False, ann, START, messages, messages + 2, START, 1)
    at = START if messages else None
    tables.members[(thread, ann)] = MemberRow(
        thread,
        ann,
        "user",
        Role.OWNER,
        START,
        None,
        messages,
        messages + 2,
        at,
        messages,
        messages + 2,
        at,
        2,
        messages + 2,
    )
    for seq in range(1, messages + 1):
        row = MessageRow(thread, seq, seq + 2, ann, "user", f"c{seq}", MessageType.TEXT, "hi", None, [], None, START)  # type: ignore[arg-type]
        for name, value in fields.items():
            setattr(row, name, value)
        tables.messages[(thread, seq)] = row
    return tables


@given(st.lists(st.integers(0, 5_000), max_size=30), st.integers(1, 40), st.integers(1, 50_000))
def test_a_page_is_the_longest_start_that_fits_and_never_empty(sizes: list[int], limit: int, max_bytes: int) -> None:
    page, more = cut(sizes, limit, lambda size: size, max_bytes)
    assert page == sizes[: len(page)]
    assert more == (len(page) < len(sizes))
    assert len(page) <= limit
    assert bool(page) == bool(sizes)

    def weight(items: list[int]) -> int:
        return sum(ITEM_OVERHEAD_BYTES + BYTES_PER_CHAR * item for item in items)

    assert len(page) <= 1 or weight(page) <= max_bytes
    if more and len(page) < limit:
        assert weight(sizes[: len(page) + 1]) > max_bytes


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "👩" * 16_000},
        {"mentions": ["m" * 128] * 50},
        {"metadata": {"k": "x" * 8_000}},
        {"reactions": {"👍": [f"{number:0128}" for number in range(1_000)]}},
        {"attachments": [ATTACHMENT] * 10},
        {"reply_to_seq": 1, "content": "👩" * 500},
        {"mentions": ["m" * 128] * 50, "metadata": {"k": "é" * 4_000}, "content": "x" * 16_000},
    ],
    ids=["content", "mentions", "metadata", "reactions", "attachments", "quotes", "all"],
)
async def test_a_page_of_the_heaviest_messages_fits_a_nats_message(fields: dict[str, object]) -> None:
    connection = FakeConnection(thread_of(HISTORY_PAGE_MAX, **fields))
    page = await history(connection, AskHistory(thread_id="t", user_id="ann", limit=HISTORY_PAGE_MAX))  # type: ignore[arg-type]
    assert page["items"]
    assert len(encode_json(page)) <= PAGE_MAX_BYTES + 300_000 < NATS_PAYLOAD_MAX_BYTES
    assert page["nextCursor"] is not None


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_history_pages_in_both_directions_meet_every_message_once(size: int) -> None:
    connection = FakeConnection(thread_of(7))
    for field, start in (("before_seq", None), ("after_seq", 0)):
        seen: list[int] = []
        cursor: str | None = None if start is None else str(start)
        while True:
            at = {} if cursor is None else {field: int(cursor)}
            page = await history(connection, AskHistory(thread_id="t", user_id="ann", limit=size, **at))  # type: ignore[arg-type]
            seqs = [item["seq"] for item in page["items"]]
            assert seqs == sorted(seqs)
            seen += seqs
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert sorted(seen) == list(range(1, 8))


async def test_there_is_nothing_before_the_first_message() -> None:
    for before in (0, 1):
        page = await history(FakeConnection(thread_of(3)), AskHistory(thread_id="t", user_id="ann", before_seq=before))  # type: ignore[arg-type]
        assert page == {"items": [], "nextCursor": None}


@given(st.integers(0, 12), st.integers(0, 14), st.integers(1, 6))
async def test_a_page_of_changes_never_ends_inside_a_rev_and_pages_meet_every_change(
    messages: int, since: int, limit: int
) -> None:
    connection = FakeConnection(thread_of(messages))

    async def page(rev: int, size: int) -> dict[str, object]:
        return await changes(connection, AskChanges(thread_id="t", user_id="ann", since_rev=rev, limit=size))  # type: ignore[arg-type]

    whole = await page(since, 500)
    assert whole["complete"]
    met: list[object] = []
    rev = since
    while True:
        part = await page(rev, limit)
        revs = [item["rev"] for item in part["items"]]  # type: ignore[attr-defined]
        assert revs == sorted(revs)
        assert all(rev < each <= part["throughRev"] for each in revs)  # type: ignore[operator]
        met += part["items"]  # type: ignore[operator]
        if part["complete"]:
            break
        assert part["throughRev"] > rev, "no progress"  # type: ignore[operator]
        assert part["nextCursor"] == str(part["throughRev"])
        rev = part["throughRev"]  # type: ignore[assignment]
    assert met == whole["items"]

"""Who has left something unread for how long, on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatterbus_contracts.queries import AskMissed
from chatterbus_persister.reads import missed as missed_reads
from tests.kit.ledger_commands import create, delete, mark, move, own, remove, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_unread import answer
from tests.kit.ledger_worker import Ledger

SLACK_S = 30.0


class Ages:
    """A clock of the ledger that says when the next message is to have been sent."""

    def __init__(self) -> None:
        self.age_s = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.age_s)


@pytest.fixture
async def ledger(postgres_store: PostgresStore) -> Ledger:
    """A thread of ann, bob, cid and the reader rea; three messages of ann, sent 500, 300 and 100 s ago."""
    ledger = Ledger(postgres_store)
    ages = Ages()
    ledger.clock = ages  # type: ignore[assignment]
    await ledger.apply(create("t", "ann", "bob", "cid", readers=["rea"], title="Fence"))
    for number, age_s in enumerate((500, 300, 100), 1):
        ages.age_s = age_s
        await ledger.apply(send("t", "ann", f"c{number}", f"text {number}", mentions=["bob"]))
    ages.age_s = 0
    return ledger


async def missed(ledger: Ledger, for_s: float, **ask: Any) -> dict[str, Any]:
    return await answer(ledger, "missed", AskMissed(thread_id="t", unread_for_s=for_s, **ask))  # type: ignore[arg-type]


def found(page: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    return {item["userId"]: (item["unread"], item["mentions"], item["firstUnreadSeq"]) for item in page["items"]}


async def test_who_is_late_and_when_the_next_one_will_be(ledger: Ledger) -> None:
    await ledger.apply(move("t", "cid", read=1), own("t", "rea", show_receipts=False), move("t", "rea", read=2))
    page = await missed(ledger, 200)
    assert found(page) == {"bob": (3, 3, 1), "cid": (2, 0, 2)}
    ages = {item["userId"]: item["unreadForS"] for item in page["items"]}
    assert 500 <= ages["bob"] < 500 + SLACK_S
    assert 300 <= ages["cid"] < 300 + SLACK_S
    assert 100 - SLACK_S < page["nextDueS"] <= 100
    assert (page["title"], page["lastSeq"], page["lastMessage"]["content"]) == ("Fence", 3, "text 3")
    assert (await missed(ledger, 0))["nextDueS"] is None


async def test_the_muted_the_removed_and_who_has_read_miss_nothing(ledger: Ledger) -> None:
    await ledger.apply(own("t", "bob", muted=True), remove("t", "ann", "cid"), move("t", "rea", read=3))
    assert (await missed(ledger, 0)) | {"lastMessage": None} == {
        "title": "Fence",
        "lastSeq": 3,
        "lastMessage": None,
        "items": [],
        "nextDueS": None,
        "nextCursor": None,
    }


async def test_what_was_deleted_and_what_one_said_oneself_is_not_missed(ledger: Ledger) -> None:
    await ledger.apply(delete("t", "ann", 1), move("t", "rea", read=3), move("t", "cid", read=3))
    assert found(await missed(ledger, 200)) == {"bob": (3, 2, 2)}
    await ledger.apply(send("t", "cid", "c4"), mark("t", "cid", 4), delete("t", "ann", 2), delete("t", "ann", 3))
    page = await missed(ledger, 0)
    assert found(page) == {"ann": (1, 0, 4), "bob": (4, 0, 4), "rea": (1, 0, 4)}
    await ledger.apply(delete("t", "cid", 4))
    assert found(await missed(ledger, 0)) == {}


async def test_a_mark_makes_missed_again_and_reading_ends_it(ledger: Ledger) -> None:
    await ledger.apply(*(move("t", user, read=3) for user in ("bob", "cid", "rea")))
    assert found(await missed(ledger, 0)) == {}
    await ledger.apply(mark("t", "bob", 2))
    assert found(await missed(ledger, 250)) == {"bob": (2, 2, 2)}
    await ledger.apply(move("t", "bob", read=3))
    assert found(await missed(ledger, 0)) == {}


async def test_pages_look_at_every_member_once_the_late_and_the_others(ledger: Ledger) -> None:
    await ledger.apply(move("t", "bob", read=2))
    seen: dict[str, tuple[int, int, int]] = {}
    due: list[float | None] = []
    after: str | None = None
    for _ in range(4):
        page = await missed(ledger, 200, after=after, limit=1)
        seen |= found(page)
        due.append(page["nextDueS"])
        after = page["nextCursor"]
        if after is None:
            break
    assert seen == {"cid": (3, 0, 1), "rea": (3, 0, 1)}
    assert [each is not None for each in due] == [False, True, False, False]


async def test_behind_more_deleted_messages_than_are_looked_at_the_newest_are_looked_at(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = missed_reads.WAITING.replace(f"LIMIT {missed_reads.LOOKED_AT})", "LIMIT 2)")
    assert few != missed_reads.WAITING
    monkeypatch.setattr(missed_reads, "WAITING", few)
    await ledger.apply(move("t", "cid", read=3), move("t", "rea", read=3))
    await ledger.apply(delete("t", "ann", 1), delete("t", "ann", 2), send("t", "cid", "c4"), send("t", "cid", "c5"))
    assert found(await missed(ledger, 0))["bob"] == (5, 1, 4)


async def test_an_unknown_thread_has_no_members(ledger: Ledger) -> None:
    page = await answer(ledger, "missed", AskMissed(thread_id="nowhere", unread_for_s=0))  # type: ignore[arg-type]
    assert (page["items"], page["lastSeq"], page["title"], page["nextCursor"]) == ([], 0, None, None)

"""What is found: words, access, truth, pages. On PostgreSQL, indexed as events come."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskSearch
from chatterbus_persister.reads import search as search_read
from chatterbus_persister.reads import search_hits
from chatterbus_persister.reads.search import search
from chatterbus_persister.search.index import SearchIndex
from tests.kit.ledger_commands import add, create, delete, edit, react, remove, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger
from tests.kit.postgres_server import Database
from tests.kit.search_stand import SearchStand

WAYS = {"by words": 1_000_000, "by threads": -1}


@pytest.fixture
async def stand(postgres_store: PostgresStore, ledger_database: Database) -> AsyncIterator[SearchStand]:
    index = await SearchIndex.open(ledger_database.dsn, "simple")
    yield SearchStand(Ledger(postgres_store), index)
    await index.close()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to find the same, whatever PostgreSQL would choose."""
    monkeypatch.setattr(search_hits, "FEW", WAYS[request.param])
    monkeypatch.setattr(search_hits, "SHARE_OF_VISIBLE", 10**9)
    monkeypatch.setattr(search_hits, "FIRST_THREADS", 1)
    return str(request.param)


TEXTS = [
    "Über die Straße nach Kärnten",
    "the oak table, 20 mm thick",
    "an oak door and a round table",
    "it's 5 o'clock: e-mail bob@example.org now!",
    "👍 done, see https://example.org/plans/7",
    "'); DROP TABLE messages; --",
    "category theory",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("oak", [2, 3]),
        ("OAK table", [2, 3]),
        ("oak tab", [2, 3]),
        ("oak tab ", []),
        ('"oak table"', [2]),
        ('"oak tab', [2]),
        ('"oak tab"', []),
        ("oak -door", [2]),
        ("oak -do", [2, 3]),
        ('oak -"oak door"', [2]),
        ("door or thick", [2, 3]),
        ("door or thi", [2, 3]),
        ("über", [1]),
        ("ÜBER", [1]),
        ("stra", [1]),
        ("straße kärn", [1]),
        (unicodedata.normalize("NFD", "über kärn"), [1]),
        ("e-mai", [4]),
        ("bob@example.org", [4]),
        ("example.org", [5]),
        ("o'clock", [4]),
        ("👍", []),
        ("👍 done", [5]),
        ("drop table messages", [6]),
        ("'); drop", [6]),
        ("cat", [7]),
        ("category -theory", []),
        ("nowhere", []),
    ],
)
async def test_words_are_found(stand: SearchStand, way: str, text: str, found: list[int]) -> None:
    await stand.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", each) for n, each in enumerate(TEXTS)))
    assert sorted(await stand.ids("ann", text)) == [f"t~{seq}" for seq in found]
    assert sorted(await stand.ids("ann", text, order="rank")) == [f"t~{seq}" for seq in found]


@pytest.mark.parametrize(
    "text",
    [
        " ", "-", '"', '""', "(", ":* & |!()", "'", "''", "\\", "\\'", "a\\", "'a':*", "!a", "a & | b",
        "<->", "a <-> b", "%s %(query)s $1", "a:*", "a:B", "\u0001", "\u202e", "\ufeff", "or", "or or", "-or",
        "--a", '-"', '"a', '"\'"', "a" * 200, "'" * 200, '"' * 199 + "a", "a-" * 100, "a/b/c.d@e", "日本語",
        "\U0010ffff", "e\u0301" * 50,
    ],
)  # fmt: skip
async def test_no_text_breaks_a_query(stand: SearchStand, way: str, text: str) -> None:
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "nothing of the kind"))
    for order in ("newest", "rank"):
        for item in await stand.items("ann", text, order=order):
            assert item["message"]["id"] == "t~1"


@pytest.mark.parametrize("text", ["- " * 100, "-" * 199 + "a", "a " + "-" * 150 + "b"])
async def test_what_postgresql_can_not_parse_is_refused(stand: SearchStand, text: str) -> None:
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "nothing of the kind"))
    with pytest.raises(Refusal) as refused:
        await stand.ids("ann", text)
    assert refused.value.code is ErrorCode.BAD_REQUEST


async def test_only_members_of_now_find_anything(stand: SearchStand, way: str) -> None:
    await stand.apply(create("t", "ann", "bob"), create("u", "eve"), create("v", "bob"))
    await stand.apply(send("t", "ann", "c1", "secret word"), send("u", "eve", "c1", "secret too"))
    assert await stand.ids("bob", "secret") == ["t~1"]
    assert await stand.ids("eve", "secret") == ["u~1"]
    assert await stand.ids("nobody", "secret") == []
    await stand.apply(remove("t", "ann", "bob"))
    assert await stand.ids("bob", "secret") == []
    await stand.apply(add("t", "ann", "bob"))
    assert await stand.ids("bob", "secret") == ["t~1"]


async def test_a_named_thread_is_refused_like_everywhere_and_bounds_what_is_found(stand: SearchStand) -> None:
    await stand.apply(create("t", "ann", "bob"), create("u", "ann"), create("empty", "ann"))
    await stand.apply(send("t", "ann", "c1", "word"), send("u", "ann", "c1", "word"))
    assert await stand.ids("ann", "word", thread_id="u") == ["u~1"]
    assert await stand.ids("ann", "word", thread_id="empty") == []
    await stand.apply(remove("t", "ann", "bob"))
    for user, thread, code in (
        ("bob", "u", ErrorCode.THREAD_NOT_FOUND),
        ("bob", "none", ErrorCode.THREAD_NOT_FOUND),
        ("bob", "t", ErrorCode.NOT_A_MEMBER),
    ):
        with pytest.raises(Refusal) as refused:
            await stand.ids(user, "word", thread_id=thread)
        assert refused.value.code is code


async def test_what_was_edited_away_or_deleted_is_not_found_even_before_the_index_knows(
    stand: SearchStand, way: str
) -> None:
    await stand.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "old words") for n in range(3)))
    later = await stand.ledger.apply(edit("t", "ann", 1, "new words"), delete("t", "ann", 2), react("t", "ann", 3))
    for _ in range(2):
        assert await stand.ids("ann", "old") == ["t~3"]
        assert await stand.ids("ann", "old", order="rank") == ["t~3"]
        await stand.index_events(later)
    assert await stand.ids("ann", "new") == ["t~1"]
    assert await stand.ids("ann", "words") == ["t~3", "t~1"]


async def test_an_event_that_comes_late_or_again_changes_nothing(stand: SearchStand) -> None:
    first = await stand.ledger.apply(create("t", "ann"), send("t", "ann", "c1", "one"), send("t", "ann", "c2", "one"))
    second = await stand.ledger.apply(edit("t", "ann", 1, "two"), delete("t", "ann", 2))
    for said in (second, first, second, first):
        await stand.index_events(said)
        assert await stand.ids("ann", "one") == []
        assert await stand.ids("ann", "two") == ["t~1"]
    assert await rows(stand) == [("t", 1)]


async def test_a_tombstone_leaves_no_words(stand: SearchStand, ledger_database: Database) -> None:
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "embarrassing"))
    assert await rows(stand) == [("t", 1)]
    await stand.apply(delete("t", "ann", 1))
    assert await rows(stand) == []


async def rows(stand: SearchStand) -> list[tuple[Any, ...]]:
    async with stand.ledger.store.reading() as connection:
        cursor = await connection.execute("SELECT thread_id, seq FROM message_search ORDER BY 1, 2")
        return list(await cursor.fetchall())


async def test_a_snippet_marks_matches_by_characters_that_no_text_keeps(stand: SearchStand) -> None:
    text = "before \x01fake\x02 <b>oak</b> " + "filler " * 200 + "oak again"
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", text))
    (item,) = await stand.items("ann", "oak")
    assert item["message"]["content"] == text
    assert "\x01oak\x02" in item["snippet"]
    assert "\x01fake" not in item["snippet"]
    assert len(item["snippet"]) < len(text)


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("order", ["newest", "rank"])
async def test_pages_hold_every_match_once_in_order(stand: SearchStand, way: str, order: str, limit: int) -> None:
    threads = [f"t{number}" for number in range(6)]
    await stand.apply(*(create(thread, "ann") for thread in threads))
    for number in range(5):
        await stand.apply(
            *(send(thread, "ann", f"c{number}", "word " * (1 + (number * place) % 4)) for place, thread in
              enumerate(threads))
        )  # fmt: skip
    await stand.apply(send("t0", "ann", "other", "something else"))
    items = await stand.items("ann", "word", order=order, limit=limit)
    ids = [item["message"]["id"] for item in items]
    assert sorted(ids) == sorted(f"{thread}~{seq}" for thread in threads for seq in range(1, 6))
    by_time = [(item["message"]["createdAt"], item["message"]["threadId"]) for item in items]
    if order == "newest":
        assert by_time == sorted(by_time, reverse=True)
    else:
        counts = [item["message"]["content"].count("word") for item in items]
        assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("order", ["newest", "rank"])
async def test_messages_that_come_between_pages_double_nothing_and_hide_nothing(
    stand: SearchStand, way: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_read, "RANKED_MAX", 10)
    await stand.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "word " * (1 + n % 3)) for n in range(10)))
    seen: list[str] = []
    cursor = None
    for turn in range(10):
        page = await stand.page("ann", "word", order=order, limit=2, cursor=cursor)
        seen += [item["message"]["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        await stand.apply(send("t", "ann", f"later{turn}", "word word word"))
    assert sorted(seen) == sorted(f"t~{seq}" for seq in range(1, 11))


async def test_long_messages_end_a_page_early(stand: SearchStand) -> None:
    await stand.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "word " * 3_000) for n in range(15)))
    page = await stand.page("ann", "word", limit=50)
    assert 0 < len(page["items"]) < 15
    assert page["nextCursor"] is not None
    assert len(await stand.ids("ann", "word", limit=50)) == 15


@pytest.mark.parametrize("order", ["newest", "rank"])
@pytest.mark.parametrize(
    "cursor",
    ["", "7", "AAAA", "e30=", "W10=", "WzFd", "bnVsbA==", "WyIyMDI2LTAxLTAxIiwidCIsMV0=", "\u00e9", "*" * 500],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(stand: SearchStand, order: str, cursor: str) -> None:
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
    with pytest.raises(Refusal) as refused:
        await stand.page("ann", "word", order=order, cursor=cursor)
    assert refused.value.code is ErrorCode.BAD_REQUEST


async def test_stop_words_alone_find_nothing_and_a_word_is_found_by_its_stem(
    postgres_store: PostgresStore, ledger_database: Database
) -> None:
    index = await SearchIndex.open(ledger_database.dsn, "english")
    stand = SearchStand(Ledger(postgres_store), index)
    await index.begin_rebuild()
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "the running theories"))
    assert await stand.ids("ann", "the ") == []
    assert await stand.ids("ann", "the") == []
    assert await stand.ids("ann", "runs theory") == ["t~1"]
    assert await stand.ids("ann", "cats the") == []
    await index.close()


async def test_nothing_is_written_by_a_search(stand: SearchStand) -> None:
    await stand.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
    async with stand.ledger.store.reading() as connection:
        await search(connection, AskSearch(user_id="ann", text="word"))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute("DELETE FROM message_search")

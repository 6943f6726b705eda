"""The indexer between a real NATS and a real PostgreSQL: what events it takes, what it repeats, when it rebuilds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from nats.js.errors import NotFoundError

from chatterbus_contracts.envelopes import event_line
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskSearch
from chatterbus_contracts.subjects import ALL_EVENTS, event_subject, own_states_subject
from chatterbus_contracts.topology import events_stream
from chatterbus_persister.reads.search import search
from chatterbus_persister.search import event_feed, indexer
from chatterbus_persister.search.event_feed import EventFeed
from chatterbus_persister.search.index import SearchIndex
from chatterbus_persister.search.indexer import Indexer
from chatterbus_runtime.link_errors import LinkDown
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from chatterbus_runtime.streams import config_of, ensure_stream
from tests.kit.ledger_commands import create, delete, edit, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger, Said
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import Database
from tests.kit.waiting import until

DEADLINE_S = 20.0
EVENTS = events_stream()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a matter of seconds in production is one of fractions here."""
    monkeypatch.setattr(event_feed, "ACK_WAIT_S", 0.5)
    monkeypatch.setattr(event_feed, "REQUEST_S", 0.5)
    monkeypatch.setattr(event_feed, "FORGOTTEN_S", 1.0)
    monkeypatch.setattr(indexer, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(indexer, "GATHER_S", 0.01)


class Town:
    """A ledger that announces to a real stream, and indexers beside it."""

    def __init__(self, store: PostgresStore, link: NatsLink, dsn: str) -> None:
        self.ledger = Ledger(store)
        self.link = link
        self.dsn = dsn
        self.unusable: list[str] = []

    def indexer(self, language: str = "simple", batch_messages: int = 3) -> Indexer:
        return Indexer(
            self.link,
            self.dsn,
            stream=EVENTS.name,
            replicas=1,
            language=language,
            batch_messages=batch_messages,
            share=1.0,
            ledger_share=lambda: 0.0,
            on_unusable=self.unusable.append,
        )

    @asynccontextmanager
    async def indexing(self, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.indexer(**settings).run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=DEADLINE_S)

    async def apply(self, *commands: Any) -> Said:
        said = await self.ledger.apply(*commands)
        await self.announce(said)
        return said

    async def announce(self, said: Said) -> None:
        for event, frame in zip(said.events, said.frames, strict=True):
            await self.announce_raw(frame["threadId"], event_line(event))

    async def announce_raw(self, thread: str, data: bytes) -> None:
        await self.link.jetstream.publish(event_subject(ThreadId(thread)), data)

    async def announce_own(self, partition: int) -> None:
        await self.link.jetstream.publish(own_states_subject(partition), b"own_state 0 {}")

    async def found(self, text: str, user: str = "ann") -> list[str]:
        page = await self.ledger.ask(search, AskSearch(user_id=user, text=text, limit=50))
        return sorted(item["message"]["id"] for item in page["items"])

    async def until_found(self, text: str, ids: list[str]) -> None:
        async def as_wanted() -> bool:
            return await self.found(text) == sorted(ids)

        await until(as_wanted, DEADLINE_S, f"{text} finds {ids}")

    async def rows(self, statement: str = "SELECT thread_id, seq, rev FROM message_search ORDER BY 1, 2") -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            return await (await connection.execute(statement.encode())).fetchall()

    async def until_settled(self) -> None:
        """No event waits and no rebuild is under way."""

        async def settled() -> bool:
            try:
                consumer = await self.link.jetstream.consumer_info(EVENTS.name, event_feed.DURABLE)
            except NotFoundError:
                return False
            state = await self.rows("SELECT followed, rebuild_thread FROM search_index")
            return consumer.num_pending == consumer.num_ack_pending == 0 and state == [(_iso(consumer), None)]

        await until(settled, DEADLINE_S, "the indexer has nothing to do")


def _iso(consumer: Any) -> str:
    return str(consumer.created.isoformat())


@pytest.fixture
async def town(
    nats_server: NatsServer, postgres_store: PostgresStore, ledger_database: Database
) -> AsyncIterator[Town]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    await ensure_stream(link.jetstream, EVENTS, 1)
    yield Town(postgres_store, link, ledger_database.dsn)
    await link.close(1)


async def test_what_is_said_changed_and_deleted_is_found_so(town: Town) -> None:
    async with town.indexing():
        await town.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", f"word {n}") for n in range(10)))
        await town.until_found("word", [f"t~{seq}" for seq in range(1, 11)])
        await town.apply(edit("t", "ann", 3, "other"), delete("t", "ann", 4))
        await town.until_found("other", ["t~3"])
        await town.until_found("word", [f"t~{seq}" for seq in (1, 2, 5, 6, 7, 8, 9, 10)])
        await town.until_settled()
        assert {seq for _, seq, _ in await town.rows()} == {1, 2, 3, 5, 6, 7, 8, 9, 10}


async def test_events_in_any_order_and_any_number_leave_the_index_at_what_is_true(town: Town) -> None:
    first = await town.ledger.apply(create("t", "ann"), send("t", "ann", "c1", "one"), send("t", "ann", "c2", "one"))
    second = await town.ledger.apply(edit("t", "ann", 1, "two"), delete("t", "ann", 2))
    async with town.indexing():
        for said in (second, first, second, first):
            await town.announce(said)
        await town.until_found("two", ["t~1"])
        await town.until_settled()
        assert await town.found("one") == []
        assert [row[:2] for row in await town.rows()] == [("t", 1)]


async def test_an_event_whose_ack_was_lost_after_the_commit_comes_again_and_changes_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.indexing():
        await town.apply(create("t", "ann"))
        await town.until_settled()
    lost: list[bytes] = []
    ack = EventFeed.ack

    def crash(feed: EventFeed, delivery: event_feed.Delivery) -> None:
        if not lost:
            lost.append(delivery.data)
            raise LinkDown("lost between commit and ack")
        ack(feed, delivery)

    monkeypatch.setattr(EventFeed, "ack", crash)
    async with town.indexing():
        await town.apply(send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        before = await town.rows("SELECT xmin::text, * FROM message_search")
        await town.until_settled()
        assert lost
        assert await town.rows("SELECT xmin::text, * FROM message_search") == before


async def test_what_was_not_committed_is_not_acked(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    take = SearchIndex.take

    async def fail_once(index: SearchIndex, places: Any) -> None:
        if not failures:
            failures.append(len(places))
            raise psycopg.OperationalError("gone")
        await take(index, places)

    monkeypatch.setattr(SearchIndex, "take", fail_once)
    async with town.indexing():
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        await town.until_settled()
    assert failures


async def test_an_event_that_can_not_be_read_is_passed_over(town: Town) -> None:
    async with town.indexing():
        for data in (
            b"",
            b"nonsense",
            b"message 1 {}",
            b"message 1 []",
            b'message 1 {"data":{"seq":"x"}}',
            b"message 1 ",
        ):
            await town.announce_raw("t", data)
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        await town.until_settled()


async def test_messages_that_no_event_tells_of_are_gathered_when_the_consumer_is_new(town: Town) -> None:
    await town.ledger.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "word") for n in range(10)))
    async with town.indexing():
        await town.until_found("word", [f"t~{seq}" for seq in range(1, 11)])
        await town.until_settled()


async def test_a_lost_stream_of_events_is_made_good(town: Town) -> None:
    async with town.indexing():
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        await town.link.jetstream.delete_stream(EVENTS.name)
        await town.ledger.apply(send("t", "ann", "c2", "word"))
        await ensure_stream(town.link.jetstream, EVENTS, 1)
        await town.until_found("word", ["t~1", "t~2"])
        await town.apply(send("t", "ann", "c3", "word"))
        await town.until_found("word", ["t~1", "t~2", "t~3"])
        await town.until_settled()


async def test_events_that_the_stream_forgot_before_they_were_indexed_are_made_good(town: Town) -> None:
    async with town.indexing():
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        await town.until_settled()
    await town.apply(*(send("t", "ann", f"more{n}", "word") for n in range(5)))
    config = config_of(EVENTS, 1)
    config.max_msgs = 1
    await town.link.jetstream.update_stream(config)
    async with town.indexing():
        await town.until_found("word", [f"t~{seq}" for seq in range(1, 7)])
        await town.until_settled()


async def test_a_consumer_of_the_time_before_own_states_gets_the_filter_and_keeps_its_place(town: Town) -> None:
    older = EventFeed(town.link, EVENTS.name, 1)._config().evolve(filter_subject=None)
    await town.link.jetstream.add_consumer(EVENTS.name, older)
    subscription = await town.link.jetstream.pull_subscribe_bind(event_feed.DURABLE, EVENTS.name)
    await town.announce_own(0)
    await town.announce_raw("t", b"one")
    for message in await subscription.fetch(2, timeout=DEADLINE_S):
        await message.ack_sync()
    before = await town.link.jetstream.consumer_info(EVENTS.name, event_feed.DURABLE)
    await town.announce_own(1)
    await town.announce_raw("t", b"two")
    feed = await EventFeed.open(town.link, EVENTS.name, 1)
    after = await town.link.jetstream.consumer_info(EVENTS.name, event_feed.DURABLE)
    assert (before.config.filter_subject, after.config.filter_subject) == (None, ALL_EVENTS)
    assert (before.created, before.ack_floor) == (after.created, after.ack_floor)
    assert (await feed.standing()).waiting == 1
    assert await feed.arrival(DEADLINE_S)
    delivery = feed.take()
    assert delivery is not None
    assert (delivery.data, feed.take()) == (b"two", None)
    feed.ack(delivery)
    feed.close()
    again = await EventFeed.open(town.link, EVENTS.name, 1)
    assert (await town.link.jetstream.consumer_info(EVENTS.name, event_feed.DURABLE)).created == before.created
    again.close()


async def test_own_states_that_grow_old_behind_the_last_event_are_no_lost_events(town: Town) -> None:
    working = await EventFeed.open(town.link, EVENTS.name, 1)
    await town.announce_raw("t", b"one")
    assert await working.arrival(DEADLINE_S)
    delivery = working.take()
    assert delivery is not None
    working.ack(delivery)
    working.close()
    feed = await EventFeed.open(town.link, EVENTS.name, 1)  # it asks for nothing, so nothing is delivered from here on
    for partition in (0, 1, 2):
        await town.announce_own(partition)

    async def nothing_waits() -> bool:
        return (await feed.standing()).waiting == 0

    await until(nothing_waits, DEADLINE_S, "the event is acked")
    config = config_of(EVENTS, 1)
    config.max_msgs = 1
    await town.link.jetstream.update_stream(config)
    assert (await feed.standing()).missed_through == 0
    await town.announce_raw("t", b"two")
    await town.announce_own(0)
    assert (await feed.standing()).missed_through == 5
    await town.announce_own(1)
    assert (await feed.standing()).missed_through == 0  # nothing further was lost
    feed.close()


async def test_a_rebuild_that_was_interrupted_goes_on_where_it_was(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.ledger.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "word") for n in range(9)))
    step = SearchIndex.rebuild_step
    steps: list[int] = []

    async def interrupted(index: SearchIndex, limit: int) -> int | None:
        if len(steps) == 2:
            raise psycopg.OperationalError("gone")
        steps.append(limit)
        return await step(index, limit)

    monkeypatch.setattr(SearchIndex, "rebuild_step", interrupted)
    async with town.indexing():
        await until(lambda: len(steps) == 2, DEADLINE_S, "two steps")

        async def half_way() -> bool:
            return await town.rows("SELECT rebuild_thread, rebuild_seq FROM search_index") == [("t", 6)]

        await until(half_way, DEADLINE_S, "the position was kept")
    monkeypatch.setattr(SearchIndex, "rebuild_step", step)
    async with town.indexing():
        await town.until_found("word", [f"t~{seq}" for seq in range(1, 10)])
        await town.until_settled()


async def test_rows_of_messages_that_are_gone_are_swept_by_a_rebuild(town: Town) -> None:
    await town.ledger.apply(create("t", "ann"), send("t", "ann", "c1", "word"), send("t", "ann", "c2", "word"))
    await town.rows(
        "INSERT INTO message_search SELECT k, 7, 7, now(), to_tsvector('word') FROM unnest('{a,t,zz,|}'::text[]) k "
        "RETURNING 1"
    )
    async with town.indexing():
        await town.until_settled()
    assert [row[:2] for row in await town.rows()] == [("t", 1), ("t", 2)]


async def test_another_language_rebuilds_the_index_and_the_older_process_stands_aside(town: Town) -> None:
    async with town.indexing() as older:
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "running"))
        await town.until_found("running", ["t~1"])
        assert await town.found("runs ") == []
        async with town.indexing(language="english"):
            await town.until_found("runs ", ["t~1"])
            await asyncio.wait({older}, timeout=DEADLINE_S)
            assert older.done()
            await town.apply(send("t", "ann", "c2", "ran and runs"))
            await town.until_found("running ", ["t~1", "t~2"])
            await town.until_settled()


async def test_an_unknown_language_is_said_with_the_known_ones(town: Town) -> None:
    async with town.indexing(language="klingon") as task:
        await asyncio.wait({task}, timeout=DEADLINE_S)
    (said,) = town.unusable
    assert "klingon" in said
    assert "simple" in said


async def test_several_indexers_share_the_work_and_agree(town: Town) -> None:
    async with town.indexing(), town.indexing(), town.indexing():
        await town.apply(create("t", "ann"), *(send("t", "ann", f"c{n}", "word") for n in range(40)))
        await town.apply(*(edit("t", "ann", seq, "other") for seq in range(1, 11)))
        await town.apply(*(delete("t", "ann", seq) for seq in range(11, 21)))
        await town.until_found("other", [f"t~{seq}" for seq in range(1, 11)])
        await town.until_found("word", [f"t~{seq}" for seq in range(21, 41)])
        await town.until_settled()
    assert len(await town.rows()) == 30


async def test_nats_may_restart(town: Town, nats_server: NatsServer) -> None:
    async with town.indexing():
        await town.apply(create("t", "ann"), send("t", "ann", "c1", "word"))
        await town.until_found("word", ["t~1"])
        nats_server.kill()
        nats_server.start()
        await until(lambda: town.link.is_connected, DEADLINE_S, "the link is back")
        await town.apply(send("t", "ann", "c2", "word"))
        await town.until_found("word", ["t~1", "t~2"])


Reindex = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def reindex(ledger_database: Database) -> Reindex:
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "PERSISTER_DSN": ledger_database.dsn, "LOG_FORMAT": "json"} | settings
        argv = [sys.executable, "-m", "chatterbus_persister.reindex", *arguments]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=DEADLINE_S)

    return run


async def test_the_command_gathers_everything_again(town: Town, reindex: Reindex) -> None:
    for thread in ("t", "u"):
        await town.ledger.apply(create(thread, "ann"), *(send(thread, "ann", f"c{n}", "word") for n in range(5)))
    done = reindex("--thread", "u", PERSISTER_SEARCH_BATCH_MESSAGES="2")
    assert done.returncode == 0, done.stderr
    assert await town.found("word") == [f"u~{seq}" for seq in range(1, 6)]
    done = reindex(PERSISTER_SEARCH_BATCH_MESSAGES="3")
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout + done.stderr
    assert len(await town.found("word")) == 10
    done = reindex(PERSISTER_SEARCH_LANGUAGE="english")
    assert await town.found("words ") == await town.found("word")


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "said"),
    [
        (("--thread", "a.b"), {}, 65, "threadId"),
        ((), {"PERSISTER_SEARCH_LANGUAGE": "klingon"}, 78, "klingon"),
        ((), {"PERSISTER_DSN": "postgresql://nobody@127.0.0.1:1/none"}, 69, "PERSISTER_DSN"),
        (("--thread", "t"), {"PERSISTER_SEARCH_LANGUAGE": "english"}, 78, "PERSISTER_SEARCH_LANGUAGE"),
    ],
)
async def test_the_command_says_what_is_wrong(
    town: Town, reindex: Reindex, arguments: tuple[str, ...], settings: dict[str, str], code: int, said: str
) -> None:
    done = reindex(*arguments, **settings)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr

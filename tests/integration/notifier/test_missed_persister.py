"""Missed and created messages with the real persister on a real PostgreSQL: what it announces and answers fits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from chatterbus_contracts.codec import decode, parse_json
from chatterbus_contracts.webhooks import HOOK_BODIES, CreatedBody, HookEvent, MissedBody, decode_hook
from chatterbus_notifier.missed.created import CreatedDesk
from chatterbus_notifier.missed.desk import MissedDesk
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.store import StoreQueries
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from chatterbus_runtime.stream_reader import StreamReader
from tests.integration.notifier.missed_stand import Running, hook_settings, make_streams
from tests.integration.persister.persister_process import PersisterProcess, Sender
from tests.kit.ledger_commands import create, delete, move, own, send
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import Database
from tests.kit.waiting import until

SOON_S = 15.0
AFTER_S = 2.0


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    yield link
    await link.close(1)


@pytest.fixture
def persister(nats_server: NatsServer, postgres: Database, tmp_path: Path) -> Iterator[PersisterProcess]:
    process = PersisterProcess(tmp_path, "persister", nats_server.url, postgres.dsn)
    process.start()
    yield process
    process.close()


@pytest.fixture
async def sender(nats_server: NatsServer, persister: PersisterProcess) -> AsyncIterator[Sender]:
    await persister.until_ready()
    sender = await Sender.connect(nats_server.url)
    yield sender
    await sender.close()


@pytest.fixture
async def hooks(
    nats_server: NatsServer, link: NatsLink, sender: Sender
) -> AsyncIterator[tuple[list[HookEvent], MissedDesk]]:
    """What is handed on for delivery, and the desk that looks for missed messages."""
    found: list[HookEvent] = []
    await make_streams(link)
    settings = hook_settings(nats_server.url, notifier_missed_after_s=AFTER_S)
    store = StoreQueries(link, settings.notifier_store_timeout_s)
    missed = MissedDesk(link, Shard(0, 1), store, list, lambda: True, settings)
    created = CreatedDesk(link, Shard(0, 1), lambda: True, settings)
    reader = StreamReader(
        link, "WEBHOOKS", lambda _, message: found.append(decode_hook(message.data)), lambda: True, lambda: None
    )
    await reader.start(1)
    async with AsyncExitStack() as stack:
        for desk in (missed, created):
            stack.push_async_callback(Running(desk).stop)
            await until(desk._reading._follower.following.is_set, SOON_S, "the stream is read")
        yield found, missed


async def test_who_missed_a_burst_is_told_once_and_nobody_else(
    sender: Sender, hooks: tuple[list[HookEvent], MissedDesk]
) -> None:
    found, desk = hooks
    await sender.ask(create("order", "ann", "bob", "cid", "dan", title="Order"))
    await sender.ask(own("order", "cid", muted=True))
    for number in range(5):
        await sender.ask(send("order", "ann", f"a-{number}", f"text {number}", mentions=["bob"] if number == 3 else []))
    await sender.ask(move("order", "dan", read=5))
    await until(lambda: any(hook.type == "message.missed" for hook in found), SOON_S, "somebody is told")
    await until(lambda: desk.open_threads == 0, SOON_S, "nothing is open")
    told = [decode(TypeAdapter(MissedBody), hook.body).data for hook in found if hook.type == "message.missed"]
    assert [(data.user_id, data.unread, data.mentions, data.first_unread_seq) for data in told] == [("bob", 5, 1, 1)]
    assert told[0].thread_title == "Order"
    assert told[0].last_message.content == "text 4"


async def test_a_message_that_was_deleted_in_time_is_not_missed(
    sender: Sender, hooks: tuple[list[HookEvent], MissedDesk]
) -> None:
    found, desk = hooks
    await sender.ask(create("order", "ann", "bob"))
    await sender.ask(send("order", "ann", "a-1"))
    await sender.ask(delete("order", "ann", 1))
    await until(lambda: desk.open_threads == 1, SOON_S, "the message waits to be looked at")
    await until(lambda: desk.open_threads == 0, SOON_S, "nothing is open")
    assert [hook.type for hook in found] == ["message.created"]


async def test_created_messages_are_told_as_they_were_announced(
    sender: Sender, hooks: tuple[list[HookEvent], MissedDesk]
) -> None:
    found, _ = hooks
    await sender.ask(create("order", "ann", "bob"))
    for number in range(10):
        await sender.publish(send("order", "ann", f"a-{number}"))
    await until(lambda: len([hook for hook in found if hook.type == "message.created"]) >= 10, SOON_S, "all are told")
    created = [hook for hook in found if hook.type == "message.created"]
    assert [hook.id for hook in created] == [f"created-order~{seq}" for seq in range(1, 11)]
    announced = [event["data"] for event in sender.events if event["type"] == "message"]
    assert [parse_json(hook.body)["data"]["message"] for hook in created] == announced
    for hook in found:
        decode(TypeAdapter(HOOK_BODIES[hook.type]), hook.body)
    assert decode(TypeAdapter(CreatedBody), created[0].body).data.message.seq == 1

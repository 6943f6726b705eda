"""Unread counts with the real persister on a real PostgreSQL: what is pushed is what the store says."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chatterbus_contracts.commands import Command
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.queries import Unread
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.notifier.unread_stand import SOON_S, Desk, Gateway
from tests.integration.persister.persister_process import PersisterProcess, Sender
from tests.kit.ledger_commands import add, create, delete, edit, mark, move, own, react, remove, send
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import Database
from tests.kit.unread_view import UnreadView
from tests.kit.waiting import until

USERS = ("ann", "bob", "cid", "dan")
THREADS = ("t", "u", "v")


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


def random_command(chance: random.Random, number: int) -> Command:
    """Any that moves counts; some are refused."""
    thread, who, other, seq = chance.choice(THREADS), chance.choice(USERS), chance.choice(USERS), chance.randint(1, 20)
    choices: list[Command] = [
        *[send(thread, who, f"c{number}", f"message {number}", mentions=[other])] * 6,
        *[move(thread, who, read=seq)] * 3,
        *[mark(thread, who, seq)] * 2,
        edit(thread, who, seq, f"edited {number}"),
        delete(thread, who, seq),
        react(thread, who, seq),
        own(thread, who, muted=bool(number % 2)),
        own(thread, who, show_receipts=bool(number % 3)),
        add(thread, "ann", other),
        remove(thread, "ann", chance.choice(USERS[1:])),
    ]
    return chance.choice(choices)


async def agrees(sender: Sender, user: UserId, view: UnreadView) -> bool:
    """What the store says now is what the client knows."""
    answer = await sender.query("unread", userId=user)
    stored = Unread.model_validate_json(answer.data)
    return view.unread == {item.thread_id: item for item in stored.items} and view.total == stored.total_unread


async def until_all_agree(sender: Sender, gateway: Gateway) -> None:
    for user, views in gateway.views.items():
        for connection, view in views.items():
            await until(lambda user=user, view=view: agrees(sender, user, view), SOON_S, f"{connection} agrees")  # type: ignore[misc]


async def begin(sender: Sender) -> None:
    for thread in THREADS:
        await sender.ask(create(thread, "ann", *USERS[1:]))


async def everything_is_applied(sender: Sender) -> None:
    """Each thread's last command is answered, so those before it were applied."""
    for thread in THREADS:
        await sender.ask(send(thread, "ann", "last"))


@pytest.mark.parametrize("crash_at", [None, "applied", "committed"])
async def test_after_random_work_what_was_pushed_is_what_the_store_says(
    link: NatsLink, persister: PersisterProcess, sender: Sender, crash_at: str | None
) -> None:
    await begin(sender)
    chance = random.Random(crash_at)
    stand, gateway = Desk(link), Gateway(link)
    desk = await stand.until_following()
    await gateway.connect(desk, "ann", "ann-1")
    for number in range(200):
        await sender.publish(random_command(chance, number))
        if number in (40, 80, 120):  # in the midst of it
            await gateway.connect(desk, USERS[number // 40], f"{USERS[number // 40]}-1")
        if number == 100 and crash_at is not None:
            persister.arm(crash_at)
        if number == 150 and crash_at is not None:
            await persister.ended()
            await persister.start_again()
        if number == 160:
            await gateway.connect(desk, "ann", "ann-2")
    await everything_is_applied(sender)
    await until_all_agree(sender, gateway)
    assert any(view.unread for views in gateway.views.values() for view in views.values())
    await stand.stop()


async def test_a_new_desk_tells_the_same_with_higher_versions(link: NatsLink, sender: Sender) -> None:
    await begin(sender)
    gateway = Gateway(link)
    first = Desk(link)
    desk = await first.until_following()
    for user in USERS:
        await gateway.connect(desk, user, f"{user}-1")
    commands = [random_command(random.Random(7), number) for number in range(60)]
    await sender.publish(send("t", "ann", "first"))
    await until_all_agree(sender, gateway)
    await first.stop()
    versions = {user: views[f"{user}-1"].version for user, views in gateway.views.items()}
    for command in commands:  # while nobody looks
        await sender.ask(command)
    second = Desk(link)
    desk = await second.until_following()
    for user in USERS:
        await gateway.connect(desk, user, f"{user}-1")
    await until_all_agree(sender, gateway)
    assert all(views[f"{user}-1"].version > versions[user] for user, views in gateway.views.items())
    await second.stop()


async def test_a_mark_and_private_reading_show_though_no_event_tells_them(link: NatsLink, sender: Sender) -> None:
    await begin(sender)
    stand, gateway = Desk(link), Gateway(link)
    view = await gateway.connect(await stand.until_following(), "bob", "bob-1")
    await sender.publish(*(send("t", "ann", f"c{number}") for number in range(5)))
    await until(lambda: view.total == 5, SOON_S, "five are unread")
    await sender.ask(own("t", "bob", show_receipts=False))
    await sender.ask(move("t", "bob", read=5))
    await until(lambda: view.total == 0, SOON_S, "read in private")
    await sender.ask(mark("t", "bob", 4))
    await until(lambda: view.total == 2, SOON_S, "the mark shows")
    assert view.items["t"].read_seq == 5
    assert view.items["t"].last_message is not None
    await sender.ask(own("t", "bob", muted=True))
    await until(lambda: view.total == 0 and view.items["t"].muted, SOON_S, "muted threads do not count")
    assert view.items["t"].unread == 2
    await sender.ask(remove("t", "ann", "bob"))
    await until(lambda: view.items["t"].unread == 0, SOON_S, "the removed member is told")
    assert json.loads(gateway.frames[-1][1])["lastMessage"] is None
    await stand.stop()

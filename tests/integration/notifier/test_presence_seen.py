"""What is kept of users: choices are written before they count, last seen whenever that is possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chatterbus_contracts.ids import UserId
from chatterbus_contracts.subjects import token
from chatterbus_notifier.presence.seen import NOTHING, UNREADABLE, Record, SeenUsers
from chatterbus_notifier.presence.status import Persist
from chatterbus_runtime.bucket import Bucket, BucketSpec, BucketUnavailable
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

ALICE, BOB = UserId("alice"), UserId("auth0|bob")


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=10)
    yield link
    await link.close(1)


def seen_by(link: NatsLink, *, leads: bool = True) -> SeenUsers:
    """A process with nothing in memory."""
    return SeenUsers(link, 1.0, lambda: leads)


async def test_what_was_noted_is_read_at_once_here_and_later_by_others(link: NatsLink) -> None:
    seen = seen_by(link)
    seen.note(Persist(BOB, "online", 1_000, 7))
    assert seen.peek(BOB) == Record("online", 1_000, 7)
    assert await seen.write_some()
    assert await seen_by(link).read(BOB) == Record("online", 1_000, 7)
    assert await seen_by(link).read(ALICE) == NOTHING


async def test_a_choice_is_written_and_last_seen_keeps_it(link: NatsLink) -> None:
    seen = seen_by(link)
    await seen.choose(ALICE, "invisible")
    assert await seen_by(link).read(ALICE) == Record("invisible")
    seen.note(Persist(ALICE, "online", 1_000, 7))  # by one who does not know of the choice yet
    await seen.write_some()
    assert await seen_by(link).read(ALICE) == Record("invisible", 1_000, 7)


async def test_a_choice_that_cannot_be_written_does_not_count(link: NatsLink, nats_server: NatsServer) -> None:
    seen = seen_by(link)
    await seen.choose(ALICE, "dnd")
    nats_server.kill()
    with pytest.raises(BucketUnavailable):
        await seen.choose(ALICE, "invisible")
    assert seen.peek(ALICE) == Record("dnd")


async def test_writes_that_fail_are_made_again(link: NatsLink, nats_server: NatsServer) -> None:
    seen = seen_by(link)
    await seen.open()
    nats_server.kill()
    await until(lambda: not link.is_connected, 5, "the loss")
    seen.note(Persist(ALICE, "online", 1_000, 7))
    assert not await seen.write_some()
    assert seen.peek(ALICE) == Record("online", 1_000, 7)
    writing = asyncio.create_task(seen.run())
    try:
        nats_server.start()
        reader = Bucket(link, BucketSpec("presence", "", max_bytes=1 << 20), 1.0)

        async def is_written() -> bool:
            try:
                return await reader.get(token(ALICE)) is not None
            except BucketUnavailable:
                return False

        await until(is_written, 15, "the record is written")
    finally:
        writing.cancel()


async def test_who_does_not_lead_writes_nothing(link: NatsLink) -> None:
    seen = seen_by(link, leads=False)
    seen.note(Persist(ALICE, "online", 1_000, 7))
    await seen.finish(1.0)
    assert await seen_by(link).read(ALICE) == NOTHING


async def test_a_record_that_cannot_be_read_counts_as_invisible(link: NatsLink) -> None:
    await seen_by(link).open()
    await Bucket(link, BucketSpec("presence", "", max_bytes=1 << 20), 1.0).put(token(ALICE), b"?")
    assert await seen_by(link).read(ALICE) == UNREADABLE
    assert UNREADABLE.choice == "invisible"

"""Following a stream through restarts, deletions and losses, on a real NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.settings import ServiceSettings
from chatterbus_runtime.stream_follower import StreamFollower
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

STREAM = "S"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


class Stand:
    """A stream, and what a follower of it saw: numbers, and "gap"."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.seen: list[str] = []
        self.room = True
        self.follower = StreamFollower(
            link, STREAM, self._arrived, lambda _reason: self.seen.append("gap"), may_read=lambda: self.room
        )

    def _arrived(self, _seq: int, message: Message) -> None:
        self.seen.append(message.data.decode())

    async def make_stream(self) -> None:
        await self.link.jetstream.add_stream(name=STREAM, subjects=["s.>"])

    async def publish(self, *numbers: int) -> None:
        for number in numbers:
            await self.link.jetstream.publish("s.a", b"%d" % number)

    @asynccontextmanager
    async def following(self, from_seq: int | None) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.run(from_seq))
        try:
            await asyncio.wait_for(self.follower.following.wait(), 10)
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def saw(self, *expected: object) -> None:
        wanted = [str(item) for item in expected]
        await until(lambda: self.seen == wanted, 15, f"{wanted}, not {self.seen}")


@pytest.fixture
async def stand(server: NatsServer) -> AsyncIterator[Stand]:
    link = await NatsLink.connect(ServiceSettings(nats_url=server.url), "follower")
    stand = Stand(link)
    await stand.make_stream()
    yield stand
    await link.close(0.5)


async def test_from_now_on_leaves_out_what_was_there(stand: Stand) -> None:
    await stand.publish(1)
    async with stand.following(None):
        await stand.publish(2, 3)
        await stand.saw(2, 3)
        assert stand.follower.position == 3


async def test_from_a_position_on_repeats_nothing_before_it(stand: Stand) -> None:
    await stand.publish(1, 2, 3)
    async with stand.following(2):
        await stand.saw(2, 3)


async def test_a_restart_of_nats_loses_and_repeats_nothing(server: NatsServer, stand: Stand) -> None:
    async with stand.following(None):
        await stand.publish(1)
        await stand.saw(1)
        server.stop()
        await until(lambda: not stand.link.is_connected, 10, "the loss is seen")
        server.start()
        await until(lambda: stand.link.is_connected, 10, "connected again")
        stand.follower.link_returned()
        await stand.publish(2)
        await stand.saw(1, 2)


async def test_a_deleted_consumer_is_made_again_behind_what_was_read(stand: Stand) -> None:
    async with stand.following(None):
        await stand.publish(1)
        await stand.saw(1)
        (consumer,) = await stand.link.jetstream.consumers_info(STREAM)
        await stand.link.jetstream.delete_consumer(STREAM, consumer.name)
        await stand.publish(2)
        await stand.saw(1, 2)


async def test_messages_that_the_stream_forgot_are_told_as_a_gap_before_what_follows(stand: Stand) -> None:
    await stand.publish(1, 2, 3)
    await stand.link.jetstream.purge_stream(STREAM, seq=3)
    async with stand.following(1):
        await stand.saw("gap", 3)


async def test_a_stream_that_was_made_anew_is_a_gap(stand: Stand) -> None:
    async with stand.following(None):
        await stand.publish(1, 2)
        await stand.saw(1, 2)
        await stand.link.jetstream.delete_stream(STREAM)
        await stand.make_stream()
        await stand.publish(7)
        await stand.saw(1, 2, "gap", 7)


async def test_while_there_is_no_room_nothing_more_comes_and_nothing_is_lost(stand: Stand) -> None:
    stand.room = False
    async with stand.following(None):
        payload = b"x" * 100_000
        for _ in range(300):
            await stand.link.jetstream.publish("s.a", payload)
        await until(lambda: len(stand.seen) > 0, 10, "the first window")
        held = len(stand.seen)
        assert held < 300
        stand.room = True
        stand.follower.go_on()
        await until(lambda: len(stand.seen) == 300, 15, "the rest")

"""Purging the queue: only by an offset that speaks of this very stream, and what is found there is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from nats.js.errors import NotFoundError

from chatterbus_contracts.topology import command_streams, events_stream
from chatterbus_persister.announcer import Announcer
from chatterbus_persister.epochs import Position
from chatterbus_persister.holdings import Holdings
from chatterbus_persister.purger import purge_forever

ANNOUNCED = 7


class Nats:
    """A link to a server with one stream, or none."""

    def __init__(self) -> None:
        self.purged: list[int] = []
        self.has_stream = True

    @property
    def jetstream(self) -> Nats:
        return self

    def inbox(self) -> str:
        return "inbox"

    def listen(self, subject: str, on_message: Callable[..., None]) -> Any:
        return SimpleNamespace(close=lambda: None)

    async def stream_info(self, name: str) -> Any:
        return SimpleNamespace(created=None, state=SimpleNamespace(first_seq=1, last_seq=ANNOUNCED))

    async def update_stream(self, config: Any) -> None: ...

    async def add_consumer(self, stream: str, config: Any) -> None: ...

    async def purge_stream(self, name: str, *, seq: int) -> None:
        if not self.has_stream:
            raise NotFoundError
        self.purged.append(seq)


class Alone:
    """The session of the only instance."""

    instance = 1

    async def holders(self) -> dict[int, frozenset[int]]:
        return {1: frozenset()}

    async def try_take(self, partition: int) -> bool:
        return True

    async def position(self, partition: int) -> Position:
        return Position(1, "", ANNOUNCED, ANNOUNCED)


async def holding(nats: Nats) -> Holdings:
    """One partition, taken."""
    link, streams = cast("Any", nats), command_streams(1, 1_000_000)
    announcer = cast("Any", SimpleNamespace(forget=lambda partition: None))
    holdings = Holdings(
        link, cast("Announcer", announcer), streams, events_stream(1_000_000), 1, 1 << 20, asyncio.Event()
    )

    async def drained() -> None:
        raise AssertionError("nothing is handed over")

    await holdings.rebalance(cast("Any", Alone()), drained)
    return holdings


async def purged_once(nats: Nats, holdings: Holdings) -> None:
    """One turn of the purger."""
    purging = asyncio.create_task(purge_forever(cast("Any", nats), holdings, 0.0))
    for _ in range(10):
        await asyncio.sleep(0)
    purging.cancel()
    await asyncio.gather(purging, return_exceptions=True)


async def test_what_was_announced_of_a_stream_that_is_read_is_purged() -> None:
    nats = Nats()
    await purged_once(nats, await holding(nats))
    assert nats.purged == [ANNOUNCED + 1]


async def test_a_stream_that_may_have_been_restored_is_not_purged_by_the_offset_of_another_time() -> None:
    """A purge beyond its end would lift an older stream to the offset: nobody could tell any more that it is older, and
    what came since would be gone."""
    nats = Nats()
    holdings = await holding(nats)
    holdings.link_returned()
    await purged_once(nats, holdings)
    assert nats.purged == []


async def test_a_stream_that_is_gone_is_looked_at_without_waiting_for_its_silence() -> None:
    nats = Nats()
    holdings = await holding(nats)
    assert not holdings.needs_attention
    nats.has_stream = False
    await purged_once(nats, holdings)
    assert holdings.needs_attention

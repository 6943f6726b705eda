"""Which partitions an instance looks after, and when it looks again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from chatterbus_contracts.topology import command_streams, events_stream
from chatterbus_persister.holdings import Holdings


class FasterOther:
    """A session beside that of another instance, which takes what we want between our look and our hand."""

    instance = 1

    async def holders(self) -> dict[int, frozenset[int]]:
        return {1: frozenset(), 2: frozenset()}

    async def try_take(self, partition: int) -> bool:
        return False


async def test_who_loses_the_race_for_a_partition_looks_again_at_once() -> None:
    """Two persisters that start together both want the first two; the last two were nobody's until the next look."""
    holdings = Holdings(
        cast("Any", None),
        cast("Any", None),
        command_streams(4, 1_000_000),
        events_stream(1_000_000),
        1,
        1,
        asyncio.Event(),
    )

    async def drained() -> None:
        raise AssertionError("nothing is handed over")

    await holdings.rebalance(cast("Any", FasterOther()), drained)
    assert holdings.needs_attention

"""Which store is behind this gateway, and whether anybody answers for it.

Promises: `current` is the epoch that the store last told, None before. Ready from the first answer on, and unready when
there was none for `PATIENCE_S`: a query that a burdened store refused, or a persister that is being replaced, is no
reason to turn everybody away; a store that does not answer at all is seen within 10 s. A store with another number of
partitions than ours makes the gateway unready at once: commands would go where nobody looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.queries import AskInfo, Info
from chatterbus_runtime.health import Health

log: Final = structlog.stdlib.get_logger(__name__)

POLL_EVERY_S: Final = 2.0
POLL_SOON_S: Final = 0.5  # while it is not there
PATIENCE_S: Final = 6.0  # with the pause before, and a question's own deadline of 5 s, less than 10 s
CHECK: Final = "store"
_INFO: Final[TypeAdapter[Info]] = TypeAdapter(Info)


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class StoreEpoch:
    """One per gateway."""

    def __init__(
        self, store: Asks, health: Health, partitions: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._answered_at = -inf
        self._health = health
        self._partitions = partitions
        self.current: str | None = None

    async def poll_for_ever(self) -> None:
        """Ask again and again. Run as a background task."""
        while True:
            there = await self.poll()
            await asyncio.sleep(POLL_EVERY_S if there else POLL_SOON_S)

    async def poll(self) -> bool:
        """Ask once; whether the store is as it should be."""
        try:
            info = decode(_INFO, await self._store.ask("info", AskInfo()))
        except Refusal as refusal:
            if self._clock() - self._answered_at >= PATIENCE_S:
                self._health.set(CHECK, ok=False, detail=refusal.message)
            return False
        except DecodeError as error:
            self._health.set(CHECK, ok=False, detail=f"its answer cannot be read: {error.message}")
            return False
        if self.current not in (None, info.epoch):
            log.warning("the store was replaced", epoch=info.epoch)
        self.current = info.epoch
        self._answered_at = self._clock()
        if info.partitions != self._partitions:
            detail = f"the store has {info.partitions} partitions, GATEWAY_PARTITIONS says {self._partitions}"
            self._health.set(CHECK, ok=False, detail=detail)
            return False
        self._health.set(CHECK, ok=True)
        return True

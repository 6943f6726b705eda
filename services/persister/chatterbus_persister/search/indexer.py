"""Works off the events, and rebuilds where events can not help.

Promises: an event is acked only after the commit of what it led to, so a crash repeats work and loses none; it works
`share` of the time that the ledger leaves it, never less than `LEAST_SHARE`, and gathers what comes within `GATHER_S`:
under a burst the index falls behind, not the ledger, and catches up after it; what fails is tried again with backoff.
Any number of instances may run at once.
"""

import asyncio
import random
import time
from collections.abc import Callable
from itertools import islice
from typing import Final

import psycopg
import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chatterbus_contracts.codec import DecodeError
from chatterbus_persister.metrics import (
    SEARCH_FAILURES,
    SEARCH_INDEXED,
    SEARCH_LAG_SECONDS,
    SEARCH_PENDING,
    SEARCH_REBUILDS,
)
from chatterbus_persister.search.event_feed import Delivery, EventFeed, FeedLostError, Standing
from chatterbus_persister.search.index import SearchIndex
from chatterbus_persister.search.language import OtherLanguageError, UnknownLanguageError
from chatterbus_persister.search.places import Place, places_in
from chatterbus_persister.search.progress import Progress
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.25  # what comes within this time shares a transaction
LEAST_SHARE: Final = 0.02  # however busy the ledger is, so that the index never stands still
LOOK_EVERY_S: Final = 5.0  # at the consumer: its backlog, and whether events went missing
REBUILDING: Final = "the search index is being rebuilt"
PASSING: Final = (psycopg.Error, OSError, TimeoutError, NatsError, LinkError, FeedLostError)


class Indexer:
    """One per process. `ledger_share`: how much of its time the ledger worked since it was asked last. `on_unusable` is
    told when no retry can help: the language does not exist."""

    def __init__(
        self,
        link: NatsLink,
        dsn: str,
        *,
        stream: str,
        replicas: int,
        language: str,
        batch_messages: int,
        share: float,
        ledger_share: Callable[[], float],
        on_unusable: Callable[[str], None],
    ) -> None:
        self._link = link
        self._dsn = dsn
        self._stream = stream
        self._replicas = replicas
        self._language = language
        self._batch_messages = batch_messages
        self._share = share
        self._ledger_share = ledger_share
        self._on_unusable = on_unusable
        self._backoff = Backoff(0.2, 2.0, 5.0, 0.5, random.random)
        self._known_missed = 0
        self._claimed = False
        self._rebuild: Progress | None = None

    async def run(self) -> None:
        """Works until cancelled, or until it has to stand aside."""
        while True:
            try:
                await self._serve()
            except UnknownLanguageError as error:
                self._on_unusable(str(error))
                return
            except OtherLanguageError as error:
                log.error("stands aside from indexing: another persister changed the language", reason=str(error))
                return
            except NotFoundError:
                log.info("waits for the stream of events")
                await asyncio.sleep(self._backoff.next_s())
            except PASSING as error:
                SEARCH_FAILURES.inc()
                delay_s = self._backoff.next_s()
                log.warning("indexing failed, trying again", error=type(error).__name__, retry_in_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)

    async def _serve(self) -> None:
        index = await SearchIndex.open(self._dsn, self._language)
        try:
            feed = await EventFeed.open(self._link, self._stream, self._replicas)
            try:
                await self._work(index, feed)
            finally:
                feed.close()
        finally:
            await index.close()

    async def _work(self, index: SearchIndex, feed: EventFeed) -> None:
        next_look = 0.0
        while True:
            if time.monotonic() >= next_look:
                await self._look(index, await feed.standing())
                next_look = time.monotonic() + LOOK_EVERY_S
            rebuilding = self._rebuild is not None
            arrived = await feed.arrival(0.0 if rebuilding else LOOK_EVERY_S)
            if arrived and not rebuilding:
                await asyncio.sleep(GATHER_S)
            started = time.monotonic()
            await self._take_events(index, feed)
            await self._rebuild_step(index)
            self._backoff.reset()
            worked_s = time.monotonic() - started
            share = max(LEAST_SHARE, self._share * (1 - self._ledger_share()))
            await asyncio.sleep(worked_s * (1 / share - 1))

    async def _look(self, index: SearchIndex, standing: Standing) -> None:
        SEARCH_PENDING.set(standing.waiting)
        missed = standing.missed_through > self._known_missed
        reason = await index.follow(standing.created, hole=missed, claim=not self._claimed)
        self._claimed = True
        self._known_missed = max(self._known_missed, standing.missed_through)
        if reason is not None:
            SEARCH_REBUILDS.inc()
            self._rebuild = Progress(REBUILDING, reason)
        elif self._rebuild is None:
            self._rebuild = Progress(REBUILDING)  # perhaps somebody else began one and is gone

    async def _take_events(self, index: SearchIndex, feed: EventFeed) -> None:
        """Index what has arrived, up to one transaction or one event, whichever is more."""
        taken: list[Delivery] = []
        places: dict[Place, None] = {}
        while len(places) < self._batch_messages and (delivery := feed.take()) is not None:
            taken.append(delivery)
            places.update(dict.fromkeys(_places_of(delivery)))
            await asyncio.sleep(0)  # an envelope may hold a thousand frames, and the ledger shares this loop
        if not taken:
            return
        waiting = iter(places)
        while batch := list(islice(waiting, self._batch_messages)):
            await index.take(batch)
            SEARCH_INDEXED.inc(len(batch))
        for delivery in taken:
            feed.ack(delivery)
        SEARCH_LAG_SECONDS.set(max(0.0, time.time() - min(delivery.announced_at_s for delivery in taken)))

    async def _rebuild_step(self, index: SearchIndex) -> None:
        if self._rebuild is None:
            return
        count = await index.rebuild_step(self._batch_messages)
        if count is None:
            if self._rebuild.count:
                await index.analyze()
                self._rebuild.finished()
            self._rebuild = None
            return
        SEARCH_INDEXED.inc(count)
        if self._rebuild.count == 0 and count:
            self._rebuild.begun(await index.messages_about())
        self._rebuild.add(count)


def _places_of(delivery: Delivery) -> list[Place]:
    try:
        return places_in(delivery.data)
    except DecodeError as error:
        log.error("an event can not be read and is passed over by search", reason=error.message)
        return []

"""Handing an event over for delivery.

Promises: when `publish` returns, the event is in the stream, once, unless it was published again later than the
stream's window of duplicates (two minutes) allows; it tries for as long as it takes, and its caller may cancel it.
At most `MAX_PENDING` wait for NATS at a time; further ones wait for their turn here.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog
from nats.errors import Error as NatsError

from chatterbus_contracts.subjects import hook_subject
from chatterbus_contracts.topology import hook_streams
from chatterbus_contracts.webhooks import HookEvent, encode_hook
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, Outcome, PubAck, PublishFailure
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.streams import ensure_stream

log: Final = structlog.stdlib.get_logger(__name__)

MAX_PENDING: Final = 1_000
ENSURE_TIMEOUT_S: Final = 10.0


async def ensure_hook_streams(link: NatsLink, replicas: int) -> None:
    """Create the streams of webhooks, or bring them to their shape. Raises what JetStream and the link raise."""
    async with asyncio.timeout(ENSURE_TIMEOUT_S):
        for spec in hook_streams():
            await ensure_stream(link.jetstream, spec, replicas)


class Confirmed:
    """Publishes until it is confirmed. One for each who publishes, for the life of the link."""

    def __init__(self, link: NatsLink, replicas: int = 1) -> None:
        self._link = link
        self._replicas = replicas
        self._publisher = JetStreamPublisher(link, max_pending=MAX_PENDING)
        self._places = asyncio.Semaphore(MAX_PENDING)
        self._ensured = False
        self._ensuring = asyncio.Lock()

    async def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Returns once the stream has it, or says that it can never have it (too large: logged)."""
        backoff = Backoff(initial_s=0.2, factor=2, maximum_s=5, jitter=0.3, random=random.random)
        async with self._places:
            while True:
                outcome = await self._attempt(subject, payload, message_id)
                if isinstance(outcome, PubAck):
                    return
                if outcome.reason == "too_large":
                    log.error("an event for webhooks is too large for NATS", id=message_id, bytes=len(payload))
                    return
                self._ensured = self._ensured and outcome.reason != "unavailable"  # the stream may be gone
                delay_s = backoff.next_s()
                log.warning("an event for webhooks waits for NATS", reason=outcome.reason, again_s=round(delay_s, 1))
                await asyncio.sleep(delay_s)

    def close(self) -> None:
        """What waits for NATS is told that the link is down."""
        self._publisher.close()

    async def _attempt(self, subject: str, payload: bytes, message_id: str) -> Outcome:
        try:
            async with self._ensuring:
                if not self._ensured:
                    await ensure_hook_streams(self._link, self._replicas)
                    self._ensured = True
        except (NatsError, LinkError, TimeoutError, OSError) as error:
            return PublishFailure("unavailable", "rejected", type(error).__name__)
        return await self._publisher.publish_wait(subject, payload, message_id=message_id)


class HookPublisher:
    """For those who know of events."""

    def __init__(self, link: NatsLink, replicas: int = 1) -> None:
        self._confirmed = Confirmed(link, replicas)

    async def publish(self, event: HookEvent) -> None:
        """Returns once the event is kept for delivery."""
        await self._confirmed.publish(hook_subject(event.key), encode_hook(event), event.id)

    def close(self) -> None:
        """Nothing is published after this."""
        self._confirmed.close()

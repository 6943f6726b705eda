"""Leaving without losing anything.

Promises, in this order: new sockets are refused; every client is told `reconnect` with its own moment to come back;
sockets go on working until their requests are answered; then they are closed with 4000, in batches, and what does not
go by itself is aborted. Whoever goes from `reconnect` on is reported as moving. All of it ends by the deadline.
Receipts that were gathered are queued before the end.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import structlog

from chatterbus_contracts.errors import CloseCode
from chatterbus_contracts.frames.server import Reconnect
from chatterbus_gateway.session import State

if TYPE_CHECKING:
    from chatterbus_gateway.gateway import Gateway

log: Final = structlog.stdlib.get_logger(__name__)

CHECK_EVERY_S: Final = 0.05
BATCH_SHARE: Final = 0.25  # of those that may be closed, at a check: clients do not come back all at once
BATCH_MIN: Final = 50
ANSWERS_SHARE_OF_TIME: Final = 0.6  # how long to wait for answers before sockets are closed over them
RECONNECT_MIN_MS: Final = 50


async def drain(gateway: Gateway, *, timeout_s: float, jitter_s: float) -> None:
    """Returns when all sockets are gone, at the latest after `timeout_s`."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    gateway.draining = True
    log.info("draining", connections=len(gateway.hub), unanswered=len(gateway.queue))
    for connection in gateway.hub.connections:
        if connection.session.state is State.OPEN:
            connection.moving = True
            after_ms = RECONNECT_MIN_MS + int(random.uniform(0, jitter_s) * 1000)  # noqa: S311 - spreads load
            connection.send(Reconnect(after_ms=after_ms, resume=True))
    gateway.flush_receipts()
    while len(gateway.hub) and loop.time() < started_s + timeout_s:
        close_anyway = loop.time() >= started_s + timeout_s * ANSWERS_SHARE_OF_TIME
        _close_batch(gateway, close_anyway=close_anyway)
        await asyncio.sleep(CHECK_EVERY_S)
    left = gateway.hub.connections
    for connection in left:
        connection.moving |= connection.session.state is not State.CLOSING
        connection.abort()
    gateway.flush_receipts()
    log.info("drained", aborted=len(left), unanswered=len(gateway.queue), took_s=round(loop.time() - started_s, 3))


def _close_batch(gateway: Gateway, *, close_anyway: bool) -> None:
    closable = [
        connection
        for connection in gateway.hub.connections
        if connection.session.state is not State.CLOSING and (close_anyway or not connection.session.in_flight)
    ]
    for connection in closable[: max(BATCH_MIN, int(len(closable) * BATCH_SHARE))]:
        connection.moving = True
        connection.session.close(CloseCode.DRAINING, "the gateway is shutting down")

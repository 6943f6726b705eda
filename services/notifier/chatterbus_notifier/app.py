"""The notifier's composition root: what it is made of, in the order it starts and stops.

Promises: ready while connected to NATS and sure of its part, leader of its shard or standby; on SIGTERM it gives the
shard up, so that a standby (or its own successor) begins at once, and stops within `DRAIN_TIMEOUT_S`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from importlib.metadata import version
from typing import Final

import structlog

from chatterbus_notifier.leadership import Leadership
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shift import Shift
from chatterbus_notifier.versions import VersionClock
from chatterbus_notifier.webhooks.questions import HookQuestions
from chatterbus_runtime.health import Health
from chatterbus_runtime.lifecycle import Lifecycle
from chatterbus_runtime.metrics import LoopLag, publish_build_info
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.probe_server import ProbeServer

log: Final = structlog.stdlib.get_logger(__name__)

DRAIN_TIMEOUT_S: Final = 5.0
LINK_CLOSE_TIMEOUT_S: Final = 2.0
RESIGN_TIMEOUT_S: Final = 1.0
NATS_CHECK: Final = "nats"
SHARD_CHECK: Final = "shard"


class LinkWatch:
    """Tells health and the shift of the link's losses and returns."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self.shift: Shift | None = None

    def lost(self) -> None:
        """The link is down."""
        self._health.set(NATS_CHECK, ok=False, detail="not connected")
        if self.shift is not None:
            self.shift.link_lost()

    def found(self) -> None:
        """The link is up again."""
        self._health.set(NATS_CHECK, ok=True)
        if self.shift is not None:
            self.shift.link_found()


async def serve(settings: NotifierSettings, lifecycle: Lifecycle) -> None:
    """Run until `lifecycle.stopping`."""
    health = Health(NATS_CHECK, SHARD_CHECK)
    publish_build_info("notifier", version("chatterbus-notifier"))
    lifecycle.spawn("loop lag", LoopLag().sample_for_ever())
    probes = ProbeServer(health)
    port = await probes.start(settings.notifier_probe_host, settings.notifier_probe_port)
    log.info("probes listening", host=settings.notifier_probe_host, port=port, shard=settings.notifier_shard)

    watch = LinkWatch(health)
    link = await lifecycle.unless_stopping(
        NatsLink.connect(
            settings,
            "notifier",
            on_disconnected=watch.lost,
            on_reconnected=watch.found,
            on_closed=lambda: lifecycle.fail("the NATS connection is closed"),
        )
    )
    if link is not None:
        health.set(NATS_CHECK, ok=True)
        await _work(settings, lifecycle, link, health, watch)
        await link.close(LINK_CLOSE_TIMEOUT_S)
    await probes.stop()


async def _work(
    settings: NotifierSettings, lifecycle: Lifecycle, link: NatsLink, health: Health, watch: LinkWatch
) -> None:
    clock = VersionClock(lambda: time.time_ns() // 1_000_000)
    leadership = Leadership(
        link,
        settings.shard,
        secrets.token_hex(6),
        clock,
        ttl_s=settings.notifier_lead_ttl_s,
        timeout_s=settings.notifier_lead_ttl_s / 4,
        replicas=settings.notifier_stream_replicas,
    )

    def term() -> Shift:
        watch.shift = Shift(link, settings, clock, leadership.guard)
        return watch.shift

    leading = lifecycle.spawn("leadership", leadership.run(term))
    tasks = {leading}
    if settings.webhook_target is not None:
        tasks.add(lifecycle.spawn("webhook questions", HookQuestions(link).run()))
    if await lifecycle.unless_stopping(leadership.decided.wait()):
        health.set(SHARD_CHECK, ok=True)
        log.info("ready")
    await lifecycle.stopping.wait()
    health.draining = True
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=DRAIN_TIMEOUT_S - RESIGN_TIMEOUT_S - LINK_CLOSE_TIMEOUT_S)
    try:
        async with asyncio.timeout(RESIGN_TIMEOUT_S):
            await leadership.resign()
    except TimeoutError:
        log.warning("the shard was not given up in time")

"""The notifier's composition root: what it is made of, in the order it starts and stops.

Promises: ready only while connected to NATS; stops within `DRAIN_TIMEOUT_S` of SIGTERM.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import structlog

from chatterbus_notifier.settings import NotifierSettings
from chatterbus_runtime.health import Health
from chatterbus_runtime.lifecycle import Lifecycle
from chatterbus_runtime.metrics import LoopLag, publish_build_info
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.probe_server import ProbeServer

log: Final = structlog.stdlib.get_logger(__name__)

DRAIN_TIMEOUT_S: Final = 5.0
LINK_CLOSE_TIMEOUT_S: Final = 2.0


async def serve(settings: NotifierSettings, lifecycle: Lifecycle) -> None:
    """Run until `lifecycle.stopping`."""
    health = Health("nats")
    publish_build_info("notifier", version("chatterbus-notifier"))
    lifecycle.spawn("loop lag", LoopLag().sample_for_ever())
    probes = ProbeServer(health)
    port = await probes.start(settings.notifier_probe_host, settings.notifier_probe_port)
    log.info("probes listening", host=settings.notifier_probe_host, port=port)

    link = await lifecycle.unless_stopping(
        NatsLink.connect(
            settings,
            "notifier",
            on_disconnected=lambda: health.set("nats", ok=False, detail="disconnected"),
            on_reconnected=lambda: health.set("nats", ok=True),
            on_closed=lambda: lifecycle.fail("the NATS connection is closed"),
        )
    )
    if link is not None:
        health.set("nats", ok=True)
        log.info("ready")
        await lifecycle.stopping.wait()
        health.draining = True
        await link.close(LINK_CLOSE_TIMEOUT_S)
    await probes.stop()

"""What every process measures about itself.

Promises: `chatterbus_build_info` names service and version; `event_loop_lag_seconds` is how late the event loop runs a
timer: the first sign that one process has too much to do. Everything else is measured where it happens.
"""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram

LAG_SAMPLE_EVERY_S: Final = 0.5
LAG_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def publish_build_info(service: str, version: str, registry: CollectorRegistry = REGISTRY) -> None:
    gauge = Gauge(
        "chatterbus_build_info", "Always 1; the labels say what runs.", ["service", "version"], registry=registry
    )
    gauge.labels(service=service, version=version).set(1)


class LoopLag:
    """Run `sample_for_ever` as a background task of the process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._lag = Histogram(
            "event_loop_lag_seconds",
            "How late the event loop ran a timer, in seconds.",
            buckets=LAG_BUCKETS_S,
            registry=registry,
        )

    async def sample_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_SAMPLE_EVERY_S
            await asyncio.sleep(LAG_SAMPLE_EVERY_S)
            self._lag.observe(max(0.0, loop.time() - due_s))

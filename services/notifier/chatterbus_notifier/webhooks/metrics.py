"""What webhooks count. Names end in their unit."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

ATTEMPTS: Final = Counter("chatterbus_webhook_attempts_total", "Attempts to deliver an event, by outcome.", ["outcome"])
WAITING: Final = Gauge("chatterbus_webhook_waiting_events", "Events read from the stream and not delivered.")
LOST: Final = Counter(
    "chatterbus_webhook_lost_total", "Times that the stream forgot events before they were read, or never delivered."
)
UNLOGGED: Final = Counter("chatterbus_webhook_unlogged_total", "Attempts that the delivery log could not take.")

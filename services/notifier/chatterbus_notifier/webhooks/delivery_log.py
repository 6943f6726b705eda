"""The log of attempts, for those who ask why a webhook did not come.

Promises: writing never waits and never fails a delivery; at most `MAX_PENDING` entries are on their way, further ones
are left out and counted. Does not promise to be complete: it is for people, and NATS may be away.
"""

from __future__ import annotations

from typing import Final

from chatterbus_contracts.codec import encode
from chatterbus_contracts.subjects import delivery_subject
from chatterbus_contracts.webhooks import DeliveryAttempt
from chatterbus_notifier.webhooks.metrics import ATTEMPTS, UNLOGGED
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, Outcome, PubAck
from chatterbus_runtime.nats_link import NatsLink

MAX_PENDING: Final = 500


class DeliveryLog:
    """Of one desk."""

    def __init__(self, link: NatsLink) -> None:
        self._publisher = JetStreamPublisher(link, max_pending=MAX_PENDING)

    def note(self, attempt: DeliveryAttempt) -> None:
        """Write it down, some time soon."""
        ATTEMPTS.labels(attempt.outcome).inc()
        self._publisher.publish(
            delivery_subject(attempt.outcome), encode(attempt), message_id=None, on_done=_count_failure
        )

    def close(self) -> None:
        """Nothing is written after this."""
        self._publisher.close()


def _count_failure(outcome: Outcome) -> None:
    if not isinstance(outcome, PubAck):
        UNLOGGED.inc()

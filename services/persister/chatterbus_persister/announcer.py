"""Tells the world about committed batches, and remembers how far that has come.

Promises: called only after commit; events and own states go to the EVENTS stream until JetStream confirms them,
however often that takes; answers go out with them, and again after a lost link; a batch counts as announced when all of
that is confirmed, and positions move forward only in the order of the batches. Bounded: at most `max_batches` wait,
then `has_room` is false and the ledger waits. Receivers may see an event twice and drop it by its rev. A message that
was not confirmed at once may arrive after those of later batches.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from chatterbus_persister.batch import Announcement
from chatterbus_persister.failpoints import Reach
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, PubAck, PublishFailure
from chatterbus_runtime.link_errors import LinkDown, LinkFull
from chatterbus_runtime.nats_link import NatsLink

log = structlog.get_logger(__name__)

RETRY_S = 0.5


@dataclass(slots=True, eq=False)
class _Told:
    positions: Mapping[int, tuple[int, int]]
    outstanding: int = 0
    answers: list[tuple[str, bytes]] = field(default_factory=list)


class Announcer:
    """One per lane. `on_progress` is called when a position moved or room was made."""

    def __init__(
        self,
        link: NatsLink,
        publisher: JetStreamPublisher,
        max_batches: int,
        on_progress: Callable[[], None],
        reach: Reach,
    ) -> None:
        self._link = link
        self._publisher = publisher
        self._max_batches = max_batches
        self._on_progress = on_progress
        self._reach = reach
        self._told: deque[_Told] = deque()
        self.announced: dict[int, tuple[int, int]] = {}
        self.struggling = False
        self.unconfirmed = False  # an event was not confirmed, and none has been since

    @property
    def has_room(self) -> bool:
        """Whether another batch may be announced now."""
        return len(self._told) < self._max_batches

    @property
    def idle(self) -> bool:
        """Whether everything was confirmed."""
        return not self._told

    def announce(self, announcement: Announcement, positions: Mapping[int, tuple[int, int]]) -> None:
        """Publish a committed batch. `positions` maps partition to the (epoch, stream seq) it reached."""
        told = _Told(positions, outstanding=len(announcement.events) + 1)
        self._told.append(told)
        for subject, payload in announcement.events:
            self._publish(told, subject, payload)
        told.answers = announcement.answers
        self._answer(told)

    def forget(self, partition: int) -> None:
        """The partition belongs to somebody else: its position is not ours to write."""
        self.announced.pop(partition, None)

    def _publish(self, told: _Told, subject: str, payload: bytes) -> None:
        def done(outcome: PubAck | PublishFailure) -> None:
            self.unconfirmed = not isinstance(outcome, PubAck)
            if isinstance(outcome, PubAck):
                self._confirmed(told)
                return
            self.struggling = True
            log.warning("event not confirmed, publishing it again", reason=outcome.reason, detail=outcome.detail)
            asyncio.get_running_loop().call_later(RETRY_S, self._publish, told, subject, payload)

        self._publisher.publish(subject, payload, message_id=None, on_done=done)

    def _answer(self, told: _Told) -> None:
        try:
            while told.answers:
                subject, payload = told.answers[0]
                self._link.publish(subject, payload)
                told.answers.pop(0)
        except (LinkDown, LinkFull):
            asyncio.get_running_loop().call_later(RETRY_S, self._answer, told)
            return
        self._confirmed(told)

    def _confirmed(self, told: _Told) -> None:
        told.outstanding -= 1
        if told.outstanding:
            return
        self._reach("announced")
        while self._told and not self._told[0].outstanding:
            self.announced.update(self._told.popleft().positions)
        self._on_progress()

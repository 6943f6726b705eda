"""Reads a stream in order, from a given message on, without acknowledgements.

The owner keeps the position, so JetStream needs to remember nothing: an ephemeral push consumer in memory delivers,
and this class checks its numbers. Promises: messages reach `on_arrival` in stream order without holes, or the owner
is told by `on_broken` and nothing more arrives (a hole in the consumer's numbers, a missed heartbeat): the owner then
reads again from its position. Reading ahead is bounded: while the owner is behind, flow control is not answered.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from chatterbus_runtime.link_errors import LinkDown, LinkFull
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

HEARTBEAT_S: Final = 2.0
SILENCE_S: Final = 3 * HEARTBEAT_S
INACTIVE_S: Final = 30.0
STATUS_CONTROL: Final = 100
LAST_CONSUMER_SEQ: Final = "Nats-Last-Consumer"
CONSUMER_STALLED: Final = "Nats-Consumer-Stalled"

OnArrival = Callable[[int, Message], None]


class StreamReader:
    """Made with `start`; `on_arrival(stream_seq, message)` is called in the read loop and must not wait. With
    `subjects`, only messages of these; stream sequences then have holes, consumer sequences have none."""

    def __init__(
        self,
        link: NatsLink,
        stream: str,
        on_arrival: OnArrival,
        may_read: Callable[[], bool],
        on_broken: Callable[[], None],
        *,
        subjects: Sequence[str] = (),
    ) -> None:
        self._link = link
        self._stream = stream
        self._subjects = subjects
        self._on_arrival = on_arrival
        self._may_read = may_read
        self._on_broken = on_broken
        self._listener: Listener | None = None
        self._consumer_seq = 0
        self._heard_at = time.monotonic()
        self._held_reply: str | None = None
        self._broken = False

    async def start(self, from_seq: int | None) -> None:
        """Read from stream sequence `from_seq` on; None: what comes from now on. Raises what JetStream raises when it
        can not be asked."""
        inbox = self._link.inbox()
        self._listener = self._link.listen(inbox, self._received)
        self._heard_at = time.monotonic()
        await self._link.jetstream.add_consumer(
            self._stream,
            ConsumerConfig(
                deliver_subject=inbox,
                deliver_policy=DeliverPolicy.NEW if from_seq is None else DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=None if from_seq is None else max(from_seq, 1),
                filter_subjects=list(self._subjects) or None,
                ack_policy=AckPolicy.NONE,
                flow_control=True,
                idle_heartbeat=HEARTBEAT_S,
                inactive_threshold=INACTIVE_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )

    def stop(self) -> None:
        """Nothing arrives after this. The consumer goes by itself once nobody listens."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def is_sound(self) -> bool:
        """Its place in the stream is not in doubt."""
        return not self._broken

    def go_on(self) -> None:
        """The owner has room again: let the server send more."""
        if self._held_reply is not None:
            reply, self._held_reply = self._held_reply, None
            self._answer(reply)

    def check(self) -> bool:
        """True while messages or heartbeats come; false means: stop it and start another."""
        if time.monotonic() - self._heard_at > SILENCE_S:
            self._broken = True
        return not self._broken

    def give_up(self) -> None:
        """The place in the stream is lost: nothing more is delivered, and the owner is told."""
        self._broken = True
        self._on_broken()

    def _received(self, message: Message) -> None:
        self._heard_at = time.monotonic()
        if self._broken:
            return
        if not message.data and message.status is not None:
            # Anything but heartbeats and flow control (the consumer was deleted, say) ends this reader.
            if message.status == STATUS_CONTROL:
                self._control(message)
            else:
                self.give_up()
            return
        stream_seq, consumer_seq = sequences(message.reply)
        if consumer_seq != self._consumer_seq + 1:
            self.give_up()
            return
        self._consumer_seq = consumer_seq
        self._on_arrival(stream_seq, message)

    def _control(self, message: Message) -> None:
        headers = message.headers or {}
        last = headers.get(LAST_CONSUMER_SEQ)
        if last is not None and int(last) != self._consumer_seq:
            self.give_up()
            return
        reply = message.reply or headers.get(CONSUMER_STALLED)
        if reply is None or not reply:
            return
        if self._may_read():
            self._answer(reply)
        else:
            self._held_reply = reply

    def _answer(self, reply: str) -> None:
        try:
            self._link.publish(reply, b"")
        except (LinkDown, LinkFull):
            self.give_up()


def sequences(reply: str) -> tuple[int, int]:
    """(stream sequence, consumer sequence) of a delivered message's reply subject, in either form (ADR-15)."""
    tokens = reply.split(".")
    first = 4 if len(tokens) == 9 else 6  # $JS.ACK[.<domain>.<account>].<stream>.<consumer>.<n>...
    return int(tokens[first + 1]), int(tokens[first + 2])

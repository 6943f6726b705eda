"""Commands to the queue, answers back.

Promises: `submit` either raises Refusal at once (nothing was sent) or calls the sink later, never during the call:
perhaps `Queued` first, then exactly one final outcome, the persister's Answer or a Refusal, within the answer timeout.
What one turn of the event loop submits for a partition leaves as one parcel, in order. A parcel that failed is not
retried here: it would land behind later ones, and who sent first must be stored first.
Does not promise that a refused command with fate unknown (TIMEOUT) was not applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.commands import (
    PARCEL_MAX_BYTES,
    PARCEL_MAX_COMMANDS,
    Command,
    encode_parcel,
)
from chatterbus_contracts.envelopes import Answer, decode_answers
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import GatewayId
from chatterbus_contracts.subjects import command_subject, gateway_subject, partition_of
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.encoded_command import EncodedCommand, encoded
from chatterbus_gateway.outcome import Outcome, Queued
from chatterbus_gateway.pending import AFTER_RETURN_S, PendingCommands, Sink
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, PubAck, PublishFailure
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

SWEEP_EVERY_S: Final = 0.05  # how late a notice or a timeout may be
RETRY_AFTER_MS: Final = 1_000


__all__ = ["Answer", "CommandQueue", "Outcome", "Queued"]


class Parcel:
    """Commands of one partition, gathered during one turn."""

    __slots__ = ("commands", "ids", "size")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.commands: list[bytes] = []
        self.size = 0


class CommandQueue:
    """One per gateway. `start` before use."""

    def __init__(
        self,
        link: NatsLink,
        publisher: JetStreamPublisher,
        gateway_id: GatewayId,
        partitions: int,
        pending: PendingCommands,
        counts: Counts,
    ) -> None:
        self.gateway_id = gateway_id
        self._link = link
        self._publisher = publisher
        self._partitions = partitions
        self._subjects = [command_subject(partition, gateway_id) for partition in range(partitions)]
        self._pending = pending
        self._counts = counts
        self._parcels: dict[int, Parcel] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._listener = link.listen(gateway_subject(gateway_id), self._answered)

    def __len__(self) -> int:
        """Commands that wait for their answer."""
        return len(self._pending)

    def link_found(self) -> None:
        """NATS was away, and answers may be lost with it: who waits is soon told to ask again, with the same id."""
        self._pending.hasten(self._loop.time() + AFTER_RETURN_S)

    def close(self) -> None:
        """Stop listening and sweeping; who still waits is told nothing any more."""
        self._listener.close()
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()

    # --- out ---------------------------------------------------------------------------------------------------------

    def submit(self, command: Command, sink: Callable[[Outcome], None]) -> None:
        """Publish with this gateway waiting for the answer (`command.gateway` must be set). Raises Refusal."""
        self.submit_encoded(encoded(command), sink)

    def submit_encoded(self, command: EncodedCommand, sink: Callable[[Outcome], None]) -> None:
        """As submit, for a command that is in its wire form."""
        if self._pending.full:
            raise Refusal(ErrorCode.TOO_MANY_IN_FLIGHT, "the gateway is busy", retry_after_ms=RETRY_AFTER_MS)
        self._add(command)
        self._pending.add(command.id, sink, self._loop.time())
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep)

    def post(self, command: Command) -> None:
        """Publish without waiting for an answer (`command.gateway` must be None). Raises Refusal."""
        self._add(encoded(command))

    def post_encoded(self, command: EncodedCommand) -> None:
        """As post, for a command that is in its wire form."""
        self._add(command)

    async def ask(self, command: Command, *, queued_after_s: float | None) -> Answer | Queued:
        """Publish and wait. With `queued_after_s`, returns Queued when the command is in the queue and its answer took
        longer than that; without, waits for the Answer. An Answer with `applied` False is returned, not raised: its
        frame is an error frame. Raises Refusal (queue full or unavailable, TIMEOUT with fate unknown)."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        asked_s = self._loop.time()
        timer: asyncio.TimerHandle | None = None

        def settle(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def sink(outcome: Outcome) -> None:
            nonlocal timer
            if type(outcome) is not Queued:
                settle(outcome)
            elif queued_after_s is not None:
                timer = self._loop.call_at(asked_s + queued_after_s, settle, outcome)

        self.submit(command, sink)
        # No deadline of its own: the table's sweep answers every command in bounded time.
        try:
            outcome = await answer
        finally:
            if timer is not None:
                timer.cancel()
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def _add(self, command: EncodedCommand) -> None:
        if not self._link.is_connected:
            # Said at once rather than at the end of the turn, so that nothing is counted as in flight.
            self._counts.queue_failures += 1
            raise Refusal(ErrorCode.QUEUE_UNAVAILABLE, "the queue cannot be reached", retry_after_ms=RETRY_AFTER_MS)
        partition = partition_of(command.thread_id, self._partitions)
        parcel = self._parcels.get(partition)
        if parcel is None:
            if not self._parcels:
                self._loop.call_soon(self._flush)
            parcel = self._parcels[partition] = Parcel()
        elif len(parcel.ids) >= PARCEL_MAX_COMMANDS or parcel.size + len(command.data) > PARCEL_MAX_BYTES:
            self._publish(partition, parcel)
            parcel = self._parcels[partition] = Parcel()
        parcel.ids.append(command.id)
        parcel.commands.append(command.data)
        parcel.size += len(command.data) + 1

    def _flush(self) -> None:
        parcels, self._parcels = self._parcels, {}
        for partition, parcel in parcels.items():
            self._publish(partition, parcel)

    def _publish(self, partition: int, parcel: Parcel) -> None:
        self._counts.parcels += 1
        self._publisher.publish(
            self._subjects[partition],
            encode_parcel(parcel.commands),
            message_id=parcel.ids[0],
            on_done=partial(self._published, parcel.ids),
        )

    # --- back --------------------------------------------------------------------------------------------------------

    def _published(self, command_ids: list[str], outcome: PubAck | PublishFailure) -> None:
        if isinstance(outcome, PubAck):
            self._pending.queued(command_ids)
            return
        self._counts.queue_failures += 1
        log.warning("parcel not queued", reason=outcome.reason, fate=outcome.fate, detail=outcome.detail)
        # A publisher that is full says so during publish; sinks are never called during submit.
        self._loop.call_soon(self._refuse_all, command_ids, refusal_of(outcome))

    def _refuse_all(self, command_ids: list[str], refusal: Refusal) -> None:
        for command_id in command_ids:
            _tell(self._pending.settle(command_id), refusal)

    def _answered(self, message: Message) -> None:
        try:
            answers = decode_answers(message.data)
        except DecodeError as error:
            log.error("answers cannot be read", reason=error.message)
            return
        for answer in answers:
            _tell(self._pending.settle(answer.command_id), answer)

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for command in self._pending.due_notices(now_s):
            _tell(command.sink, Queued(command.command_id))
        for sink in self._pending.expired(now_s):
            self._counts.answer_timeouts += 1
            _tell(sink, Refusal(ErrorCode.TIMEOUT, "no answer in time; it may still be stored"))
        self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep) if self._pending else None


def refusal_of(failure: PublishFailure) -> Refusal:
    """What a failed publish means for the commands in it."""
    if failure.fate == "unknown":
        return Refusal(ErrorCode.TIMEOUT, "the queue did not answer; it may still be stored")
    return Refusal(*_REFUSALS[failure.reason], retry_after_ms=RETRY_AFTER_MS)


_UNREACHABLE: Final = (ErrorCode.QUEUE_UNAVAILABLE, "the queue cannot be reached")
_REFUSALS: Final[dict[str, tuple[ErrorCode, str]]] = {
    "full": (ErrorCode.QUEUE_FULL, "the queue is full"),
    "unavailable": _UNREACHABLE,
    "link_down": _UNREACHABLE,
    "timeout": _UNREACHABLE,
    "too_large": (ErrorCode.FRAME_TOO_LARGE, "the command is larger than the queue takes"),
}


def _tell(sink: Sink | None, outcome: Outcome) -> None:
    if sink is None:
        return
    try:
        sink(outcome)
    except Exception:
        # One waiter's bug must not keep the others from their answers.
        log.exception("answer could not be handed over")

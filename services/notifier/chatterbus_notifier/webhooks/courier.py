"""Takes events from the backlog to the receiver, and dead ones to where dead ones are kept.

Promises: an event leaves the backlog only when the receiver answered 2xx, or when the stream of dead letters has it;
nothing is begun unless `guard` says that this process still leads; each attempt is logged. A fault of ours in one
attempt counts as a failure of that attempt and disturbs no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import structlog

from chatterbus_contracts.subjects import dead_hook_subject
from chatterbus_contracts.webhooks import DeliveryAttempt, encode_hook
from chatterbus_notifier.webhooks.backlog import Backlog, Waiting
from chatterbus_notifier.webhooks.delivery_log import DeliveryLog
from chatterbus_notifier.webhooks.publisher import Confirmed
from chatterbus_notifier.webhooks.sender import Attempted, HookSender

log: Final = structlog.stdlib.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5  # how late a guard that says yes again is noticed


class Courier:
    """`on_settled` is called whenever an attempt has ended, whichever way."""

    def __init__(
        self,
        backlog: Backlog,
        sender: HookSender,
        delivery_log: DeliveryLog,
        dead_letters: Confirmed,
        guard: Callable[[], bool],
        on_settled: Callable[[], None],
    ) -> None:
        self._backlog = backlog
        self._sender = sender
        self._delivery_log = delivery_log
        self._dead_letters = dead_letters
        self._guard = guard
        self._on_settled = on_settled
        self._something = asyncio.Event()
        self._failing = False

    def wake(self) -> None:
        """Something may be due."""
        self._something.set()

    async def run(self) -> None:
        """Until cancelled; attempts under way are cancelled too, and count as not delivered."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as attempts:
            while True:
                self._something.clear()
                while self._guard() and (waiting := self._backlog.take(loop.time())) is not None:
                    attempts.create_task(self._attempt(waiting))
                due_s = self._backlog.next_due_s()
                patience_s = LOOK_EVERY_S if due_s is None else min(max(due_s - loop.time(), 0.001), LOOK_EVERY_S)
                try:
                    async with asyncio.timeout(patience_s):
                        await self._something.wait()
                except TimeoutError:
                    continue

    async def _attempt(self, waiting: Waiting) -> None:
        at = datetime.now(UTC)
        attempted = await self._sent(waiting)
        self._tell_changes(attempted)
        delay_s = None
        outcome: Literal["delivered", "retrying", "dead"] = "delivered"
        if attempted.error is not None:
            now_s = asyncio.get_running_loop().time()
            delay_s = self._backlog.failed(waiting, now_s, attempted.retry_after_s)
            outcome = "dead" if delay_s is None else "retrying"
        self._delivery_log.note(_entry(waiting, attempted, at, outcome, delay_s))
        if outcome == "dead":
            await self._bury(waiting)
        if outcome != "retrying":
            self._backlog.done(waiting)
        self._on_settled()
        self.wake()

    async def _sent(self, waiting: Waiting) -> Attempted:
        try:
            return await self._sender.send(waiting.event)
        except Exception:
            log.exception("an attempt to deliver a webhook failed in an unforeseen way", id=waiting.event.id)
            return Attempted(status=None, error="internal", retry_after_s=None, duration_ms=0)

    async def _bury(self, waiting: Waiting) -> None:
        event = waiting.event
        log.warning("a webhook is given up", id=event.id, type=event.type, attempts=waiting.attempts)
        message_id = f"dead.{event.id}.{waiting.seq or 0}"
        await self._dead_letters.publish(dead_hook_subject(event.key), encode_hook(event), message_id)

    def _tell_changes(self, attempted: Attempted) -> None:
        failing = attempted.error is not None
        if failing and not self._failing:
            log.warning("the webhooks' receiver fails", error=attempted.error, status=attempted.status)
        elif self._failing and not failing:
            log.info("the webhooks' receiver takes events again")
        self._failing = failing


def _entry(
    waiting: Waiting,
    attempted: Attempted,
    at: datetime,
    outcome: Literal["delivered", "retrying", "dead"],
    delay_s: float | None,
) -> DeliveryAttempt:
    ended_s = at.timestamp() + attempted.duration_ms / 1000
    return DeliveryAttempt(
        id=waiting.event.id,
        type=waiting.event.type,
        key=waiting.event.key,
        attempt=waiting.attempts,
        at=_text(at),
        duration_ms=attempted.duration_ms,
        outcome=outcome,
        status=attempted.status,
        error=attempted.error,
        next_attempt_at=None if delay_s is None else _text(datetime.fromtimestamp(ended_s + delay_s, UTC)),
    )


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"

"""Publishing to JetStream streams, many messages in flight, without a task or a future per message.

Promises: every `publish` is answered by exactly one `on_done`, at the latest `ack_timeout_s` (and one sweep) later;
what is in flight is bounded in messages and bytes, and beyond the bound the answer is "full" at once; "no responders"
and other refusals that pass (a stream's leader is moving) are retried with the same message id, within the same
deadline; the `fate` of a failure says whether the message may be in the stream: "rejected" means it is not, "unknown"
means ask, or retry with the same message id.

Does not promise that retries keep their place: a message that was retried can land behind later ones.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from pydantic_core import from_json

from chatterbus_runtime.link_errors import LinkDown, LinkFull, PayloadTooLarge
from chatterbus_runtime.nats_link import NO_RESPONDERS, NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

SWEEP_EVERY_S: Final = 0.05  # how late a deadline or a retry may be noticed
MESSAGE_ID_HEADER: Final = "Nats-Msg-Id"

Reason = Literal["full", "unavailable", "timeout", "too_large", "link_down"]
Fate = Literal["rejected", "unknown"]

# err_code of nats-server (server/errors.json). 10077 wraps whatever the store said; see `failure_of`.
STORE_FAILED: Final = 10077
FULL: Final = frozenset({10002, 10023, 10028, 10047})
TOO_LARGE: Final = frozenset({10054, 10097})


@dataclass(frozen=True, slots=True)
class PubAck:
    """The message is in `stream` at `seq`; `duplicate` when its id had been seen within the stream's window."""

    stream: str
    seq: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class PublishFailure:
    reason: Reason
    fate: Fate
    detail: str


Outcome = PubAck | PublishFailure
OnDone = Callable[[Outcome], None]


class _Pending:
    __slots__ = ("attempts_left", "deadline_s", "headers", "in_flight", "on_done", "payload", "subject")

    def __init__(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str] | None,
        on_done: OnDone,
        attempts_left: int,
        deadline_s: float,
    ) -> None:
        self.subject = subject
        self.payload = payload
        self.headers = headers
        self.on_done = on_done
        self.attempts_left = attempts_left
        self.deadline_s = deadline_s
        self.in_flight = True


class JetStreamPublisher:
    """One per process and link."""

    def __init__(
        self,
        link: NatsLink,
        *,
        ack_timeout_s: float = 5.0,
        retries: int = 3,
        retry_wait_s: float = 0.25,
        max_pending: int = 4096,
        max_pending_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self._link = link
        self._ack_timeout_s = ack_timeout_s
        self._attempts = retries + 1
        self._retry_wait_s = retry_wait_s
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        self._pending: dict[int, _Pending] = {}  # in order of their deadlines, which is the order of publishing
        self._pending_bytes = 0
        self._retries: deque[tuple[float, int]] = deque()  # (due, number); waits are equal, so in order
        self._numbers = itertools.count(1)
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._inbox = link.inbox() + "."
        self._listener = link.listen(f"{self._inbox}*", self._answered)
        link.watch_down(self._link_down)

    @property
    def pending(self) -> int:
        """Published and not yet answered."""
        return len(self._pending)

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None,
        on_done: OnDone,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish and be told the outcome; may call `on_done` before it returns. Raises only BadSubject, BadHeader."""
        if len(self._pending) >= self._max_pending or self._pending_bytes + len(payload) > self._max_pending_bytes:
            _tell(on_done, PublishFailure("full", "rejected", f"{len(self._pending)} publishes are unanswered"))
            return
        if message_id is not None:
            headers = {MESSAGE_ID_HEADER: message_id, **(headers or {})}
        number = next(self._numbers)
        failure = self._send(number, subject, payload, headers)
        if failure is not None:
            _tell(on_done, failure)
            return
        deadline_s = self._loop.time() + self._ack_timeout_s
        self._pending[number] = _Pending(subject, payload, headers, on_done, self._attempts - 1, deadline_s)
        self._pending_bytes += len(payload)
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep)

    async def publish_wait(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """`publish`, awaited. Bounded like it; giving up the await does not take the message back."""
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self.publish(
            subject,
            payload,
            message_id=message_id,
            headers=headers,
            on_done=lambda result: None if outcome.done() else outcome.set_result(result),
        )
        return await outcome

    def close(self) -> None:
        """Stop listening for answers; what is in flight is told "link_down", fate unknown."""
        self._listener.close()
        self._link_down()

    def _send(
        self, number: int, subject: str, payload: bytes, headers: Mapping[str, str] | None
    ) -> PublishFailure | None:
        try:
            self._link.publish(subject, payload, f"{self._inbox}{number}", headers)
        except LinkDown as error:
            return PublishFailure("link_down", "rejected", str(error))
        except LinkFull as error:
            return PublishFailure("full", "rejected", str(error))
        except PayloadTooLarge as error:
            return PublishFailure("too_large", "rejected", str(error))
        return None

    def _answered(self, message: Message) -> None:
        number = int(message.subject[len(self._inbox) :])
        pending = self._pending.get(number)
        if pending is None or not pending.in_flight:
            return  # its deadline or the link's loss was faster
        outcome = NO_RESPONDERS_FAILURE if message.status == NO_RESPONDERS else outcome_of(message.data)
        if isinstance(outcome, PublishFailure) and outcome.reason == "unavailable" and pending.attempts_left > 0:
            pending.attempts_left -= 1
            pending.in_flight = False
            self._retries.append((self._loop.time() + self._retry_wait_s, number))
            return
        self._finish(number, outcome)

    def _finish(self, number: int, outcome: Outcome) -> None:
        pending = self._pending.pop(number)
        self._pending_bytes -= len(pending.payload)
        _tell(pending.on_done, outcome)

    def _sweep(self) -> None:
        now_s = self._loop.time()
        while self._retries and self._retries[0][0] <= now_s:
            self._try_again(self._retries.popleft()[1])
        while self._pending:
            number, oldest = next(iter(self._pending.items()))
            if oldest.deadline_s > now_s:
                break
            detail = f"no answer within {self._ack_timeout_s} s"
            late = PublishFailure("timeout", "unknown", detail) if oldest.in_flight else NO_RESPONDERS_FAILURE
            self._finish(number, late)
        self._sweep_timer = self._loop.call_later(SWEEP_EVERY_S, self._sweep) if self._pending else None

    def _try_again(self, number: int) -> None:
        pending = self._pending.get(number)
        if pending is None:
            return
        failure = self._send(number, pending.subject, pending.payload, pending.headers)
        if failure is None:
            pending.in_flight = True
        else:
            self._finish(number, failure)

    def _link_down(self) -> None:
        lost = self._pending
        self._pending = {}
        self._pending_bytes = 0
        self._retries.clear()
        for pending in lost.values():
            fate: Fate = "unknown" if pending.in_flight else "rejected"
            _tell(pending.on_done, PublishFailure("link_down", fate, "the connection to NATS was lost"))


NO_RESPONDERS_FAILURE: Final = PublishFailure("unavailable", "rejected", "no stream takes this subject at the moment")


def outcome_of(answer: bytes) -> Outcome:
    """A PubAck's JSON (ADR-1 of the NATS architecture): `{stream, seq, duplicate}` or `{error: {...}}`."""
    try:
        body = from_json(answer)
        error = body.get("error")
        if error is not None:
            return failure_of(int(error.get("err_code", 0)), str(error.get("description", "")))
        return PubAck(str(body["stream"]), int(body["seq"]), bool(body.get("duplicate", False)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Something other than JetStream answered; whether the stream has the message cannot be told.
        return PublishFailure("timeout", "unknown", f"the answer is no PubAck: {type(error).__name__}")


def failure_of(err_code: int, description: str) -> PublishFailure:
    detail = f"{description} ({err_code})"
    if err_code in FULL or (err_code == STORE_FAILED and "maximum" in description):
        return PublishFailure("full", "rejected", detail)
    if err_code in TOO_LARGE:
        return PublishFailure("too_large", "rejected", detail)
    return PublishFailure("unavailable", "rejected", detail)


def _tell(on_done: OnDone, outcome: Outcome) -> None:
    try:
        on_done(outcome)
    except Exception:
        # One caller's bug must not keep the others from their outcomes.
        log.exception("on_done failed")

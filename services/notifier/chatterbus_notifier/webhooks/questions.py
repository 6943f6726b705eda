"""Answers what administrators ask about webhooks.

Promises: every question of the contract is answered by one of the instances that listen, leading or not, within
`TIMEOUT_S`; a refusal carries its code as the store service's do; at most `RUNNING_MAX` questions are worked on at a
time, and one replay; further ones are refused at once. Listening ends with `run`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import structlog
from nats.errors import Error as NatsError
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.subjects import ask_hooks_subject
from chatterbus_contracts.webhooks import HOOK_ASKS
from chatterbus_notifier.webhooks.deliveries import read_deliveries
from chatterbus_notifier.webhooks.replay import replay
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

QUEUE: Final = "hooks"
RUNNING_MAX: Final = 8
TIMEOUT_S: Final = 30.0
CODE_HEADER: Final = "Nats-Service-Error-Code"
TEXT_HEADER: Final = "Nats-Service-Error"
ASKS: Final[dict[str, TypeAdapter[Any]]] = {name: TypeAdapter(row.ask) for name, row in HOOK_ASKS.items()}


class HookQuestions:
    """One per process, whether it leads or not."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self._publisher = JetStreamPublisher(link)
        self._running: set[asyncio.Task[None]] = set()
        self._replaying = asyncio.Lock()
        self.answers: Final[dict[str, Callable[[Any], Awaitable[Wire]]]] = {
            "deliveries": partial(read_deliveries, link),
            "replay": self._replay,
        }

    async def run(self) -> None:
        """Answer until cancelled."""
        listeners = [
            self._link.listen(ask_hooks_subject(what), partial(self._asked, what), QUEUE) for what in self.answers
        ]
        try:
            await asyncio.Event().wait()
        finally:
            for listener in listeners:
                listener.close()
            for task in self._running:
                task.cancel()
            self._publisher.close()

    def _asked(self, what: str, message: Message) -> None:
        if len(self._running) >= RUNNING_MAX:
            self._refuse(message, Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "too many questions are worked on"))
            return
        task = asyncio.get_running_loop().create_task(self._serve(what, message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, what: str, message: Message) -> None:
        try:
            answer = await self._answer(what, message.data)
        except Refusal as refusal:
            self._refuse(message, refusal)
        except (NatsError, LinkError, TimeoutError, OSError) as error:
            log.warning("a question about webhooks was not answered", what=what, reason=type(error).__name__)
            self._refuse(message, Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "NATS does not answer"))
        except Exception:
            log.exception("a question about webhooks failed", what=what)
            self._refuse(message, Refusal(ErrorCode.INTERNAL, "the question failed"))
        else:
            self._reply(message, encode(answer))

    async def _answer(self, what: str, data: bytes) -> Wire:
        try:
            ask = decode(ASKS[what], data)
        except DecodeError as error:
            raise Refusal(ErrorCode.BAD_REQUEST, error.message) from None
        async with asyncio.timeout(TIMEOUT_S):
            return await self.answers[what](ask)

    async def _replay(self, ask: Any) -> Wire:
        if self._replaying.locked():
            raise Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "a replay is under way")
        async with self._replaying:
            return await replay(self._link, self._publisher, ask)

    def _refuse(self, message: Message, refusal: Refusal) -> None:
        self._reply(message, b"", {CODE_HEADER: refusal.code, TEXT_HEADER: refusal.message})

    def _reply(self, message: Message, payload: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            if message.reply:
                self._link.publish(message.reply, payload, headers=headers)
        except LinkError as error:
            log.warning("an answer about webhooks was not sent", reason=type(error).__name__)

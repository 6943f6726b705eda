"""Takes what users choose: how they want to be seen.

Promises: a choice is written before it is carried out and answered; one that cannot be written is refused with
PRESENCE_UNAVAILABLE, and not carried out; choices are made in the order in which they came. One that has waited for
longer than its asker is dropped.
Bound: WAITING_MAX wait; further ones are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import ChoosePresence, Chosen
from chatterbus_contracts.states import Status
from chatterbus_notifier.presence.seen import SeenUsers
from chatterbus_notifier.presence.status import Choice
from chatterbus_notifier.presence.voice import Voice
from chatterbus_notifier.shard import Shard
from chatterbus_runtime.bucket import BucketUnavailable
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

WAITING_MAX: Final = 256
PATIENCE_S: Final = 2.0

_CHOOSE: Final = TypeAdapter(ChoosePresence)


class Choices:
    """`carry_out` makes a written choice seen, and returns what the user's own devices are told."""

    def __init__(
        self,
        shard: Shard,
        seen: SeenUsers,
        voice: Voice,
        guard: Callable[[], bool],
        carry_out: Callable[[UserId, Choice], Status],
    ) -> None:
        self._shard = shard
        self._seen = seen
        self._voice = voice
        self._guard = guard
        self._carry_out = carry_out
        self._waiting: asyncio.Queue[tuple[float, str, ChoosePresence]] = asyncio.Queue(WAITING_MAX)
        self._loop = asyncio.get_running_loop()

    def asked(self, message: Message) -> None:
        """A message on choose_presence_subject."""
        try:
            choice = decode(_CHOOSE, message.data)
            if not self._shard.owns(choice.user_id):
                raise Refusal(ErrorCode.BAD_REQUEST, "the user is another shard's")
            self._waiting.put_nowait((self._loop.time() + PATIENCE_S, message.reply, choice))
        except DecodeError as error:
            self._refuse(message.reply, Refusal(ErrorCode.BAD_REQUEST, error.message))
        except Refusal as refusal:
            self._refuse(message.reply, refusal)
        except asyncio.QueueFull:
            self._refuse(message.reply, Refusal(ErrorCode.PRESENCE_UNAVAILABLE, "too many choices wait"))

    async def run(self) -> None:
        """Carry out one after the other; for ever."""
        while True:
            until_s, reply, choice = await self._waiting.get()
            if self._loop.time() < until_s and self._guard():
                await self._choose(reply, choice)

    async def _choose(self, reply: str, asked: ChoosePresence) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._seen.choose(asked.user_id, asked.status)
        except (BucketUnavailable, TimeoutError):
            self._refuse(reply, Refusal(ErrorCode.PRESENCE_UNAVAILABLE, "the choice could not be written"))
            return
        status = self._carry_out(asked.user_id, asked.status)
        if reply:
            self._voice.answer(reply, Chosen(status=status))

    def _refuse(self, reply: str, refusal: Refusal) -> None:
        if reply:
            self._voice.refuse(reply, refusal)

"""Who looks at a thread at this moment, on an active device: a question to every gateway.

Promises: an answer within `ASK_TIMEOUT_S`. A gateway that does not answer has nobody there: it is better to tell
somebody of a message that is on the screen than to keep silent because a gateway hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode, encode
from chatterbus_contracts.ids import GatewayId, ThreadId, UserId
from chatterbus_contracts.presence import AskAttending, Attending
from chatterbus_contracts.subjects import ask_gateway_subject
from chatterbus_notifier.store import Requests
from chatterbus_runtime.link_errors import LinkError

log: Final = structlog.stdlib.get_logger(__name__)

ASK_TIMEOUT_S: Final = 2.0
ATTENDING: Final = TypeAdapter(Attending)


class Attendance:
    """`gateways()` are the ids of those that live."""

    def __init__(self, link: Requests, gateways: Callable[[], Sequence[GatewayId]]) -> None:
        self._link = link
        self._gateways = gateways

    async def of(self, thread_id: ThreadId, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        """Those of the users who look at the thread."""
        if not user_ids:
            return frozenset()
        question = encode(AskAttending(thread_id=thread_id, user_ids=list(user_ids)))
        answers = await asyncio.gather(*(self._ask(gateway_id, question) for gateway_id in self._gateways()))
        return frozenset().union(*answers)

    async def _ask(self, gateway_id: GatewayId, question: bytes) -> list[UserId]:
        try:
            reply = await self._link.request(ask_gateway_subject(gateway_id, "attending"), question, ASK_TIMEOUT_S)
            return decode(ATTENDING, reply.data).user_ids
        except (TimeoutError, LinkError, DecodeError) as error:
            log.warning("a gateway does not say who attends a thread", gateway=gateway_id, reason=type(error).__name__)
            return []

"""Asks gateways who is connected, until nothing is wanted of them any more.

Promises: a gateway has one question at a time, for slots of at most CONNECTIONS_MAX connections together (a larger slot
goes alone), so that an answer fits a NATS message; at most ASKED_AT_ONCE gateways are asked at a time; who does not
answer is asked again with growing pauses, for half as many slots each time (a lease may be older than a crowd that
came since, and what does not fit a message is not answered), as long as something is wanted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode, encode
from chatterbus_contracts.ids import GatewayId
from chatterbus_contracts.presence import AskConnections, Connections
from chatterbus_contracts.subjects import USER_SLOTS, ask_gateway_subject
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

CONNECTIONS_MAX: Final = 3_000
ASKED_AT_ONCE: Final = 4
PAUSES_S: Final = (0.1, 5.0)

_CONNECTIONS: Final = TypeAdapter(Connections)


def first_batch(wanted: list[tuple[int, int]], most: int = CONNECTIONS_MAX) -> list[int]:
    """As many slots of `wanted` (slot, connections), from the first on, as have `most` connections; at least one."""
    slots: list[int] = []
    total = 0
    for slot, count in wanted:
        if slots and total + count > most:
            break
        slots.append(slot)
        total += count
    return slots


class Snapshots:
    """`wanted` says what is wanted of a gateway, `arrived` takes each answer. Tasks go to `spawn`."""

    def __init__(
        self,
        link: NatsLink,
        wanted: Callable[[GatewayId], list[tuple[int, int]]],
        arrived: Callable[[Connections], None],
        timeout_s: float,
    ) -> None:
        self._link = link
        self._wanted = wanted
        self._arrived = arrived
        self._timeout_s = timeout_s
        self._turn = asyncio.Semaphore(ASKED_AT_ONCE)
        self._asking: set[GatewayId] = set()

    def ask(self, gateway_id: GatewayId, group: asyncio.TaskGroup) -> None:
        """Begin, unless it is being asked already."""
        if gateway_id not in self._asking:
            self._asking.add(gateway_id)
            group.create_task(self._ask_until_known(gateway_id))

    async def _ask_until_known(self, gateway_id: GatewayId) -> None:
        backoff = Backoff(PAUSES_S[0], 2.0, PAUSES_S[1], jitter=0.3, random=random.random)
        most_slots = USER_SLOTS
        try:
            while wanted := self._wanted(gateway_id):
                slots = first_batch(wanted)[:most_slots]
                async with self._turn:
                    answered = await self._ask(gateway_id, slots)
                if answered and self._wanted(gateway_id) != wanted:
                    backoff.reset()
                    continue
                if not answered:
                    most_slots = max(1, len(slots) // 2)
                await asyncio.sleep(backoff.next_s())
        finally:
            self._asking.discard(gateway_id)

    async def _ask(self, gateway_id: GatewayId, slots: list[int]) -> bool:
        question = encode(AskConnections(slots=slots))
        try:
            reply = await self._link.request(ask_gateway_subject(gateway_id, "connections"), question, self._timeout_s)
            self._arrived(decode(_CONNECTIONS, reply.data))
        except (LinkError, TimeoutError) as error:
            log.info("a gateway does not say who is connected", gateway=gateway_id, reason=type(error).__name__)
            return False
        except DecodeError as error:
            log.error("a gateway's connections cannot be read", gateway=gateway_id, reason=error.message)
            return False
        return True

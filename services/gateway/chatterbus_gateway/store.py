"""Questions to the persister's `store` service.

Promises: `ask` answers with the JSON of the query's answer model, or raises a Refusal, within `timeout_s`. A store that
nobody serves at this moment (a persister is being replaced) is asked once more after a short pause. Asking changes
nothing, so a refusal here never means that something was half done. Does not decode answers: they are passed on.
"""

import asyncio
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.subjects import store_subject
from chatterbus_runtime.link_errors import LinkError, NoResponders
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

RETRY_PAUSE_S: Final = 0.2  # a persister that takes over subscribes within this time
RETRY_AFTER_MS: Final = 1_000
CODE_HEADER: Final = "Nats-Service-Error-Code"
TEXT_HEADER: Final = "Nats-Service-Error"


class Requests(Protocol):
    """The part of NatsLink that is needed here."""

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Message: ...


class Store:
    """Asks over the link; each question has `timeout_s` in all."""

    def __init__(self, link: Requests, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s

    async def ask(self, query_name: str, question: Wire) -> bytes:
        """The answer's JSON. Raises Refusal: the store's own, or STORE_UNAVAILABLE, or INTERNAL."""
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        try:
            reply = await self._asked(store_subject(query_name), encode(question), deadline_s)
        except TimeoutError:
            raise _unavailable("the store did not answer in time") from None
        except LinkError:
            raise _unavailable("the store cannot be reached") from None
        refusal = refusal_of(reply)
        if refusal is not None:
            if refusal.code is ErrorCode.INTERNAL:
                log.error("store query failed", query=query_name, reason=(reply.headers or {}).get(TEXT_HEADER, ""))
            raise refusal
        return reply.data

    async def _asked(self, subject: str, payload: bytes, deadline_s: float) -> Message:
        loop = asyncio.get_running_loop()
        try:
            return await self._link.request(subject, payload, deadline_s - loop.time())
        except NoResponders:
            if loop.time() + RETRY_PAUSE_S >= deadline_s:
                raise
        await asyncio.sleep(RETRY_PAUSE_S)
        return await self._link.request(subject, payload, deadline_s - loop.time())


def refusal_of(reply: Message) -> Refusal | None:
    """What an error reply of the services API says, None for an answer. A code that is not ours says INTERNAL, and
    its text, which was not written for clients, is left out."""
    headers = reply.headers or {}
    name = headers.get(CODE_HEADER)
    if name is None:
        return None
    code = ErrorCode.__members__.get(name, ErrorCode.INTERNAL)
    if code is ErrorCode.INTERNAL:
        return Refusal(code, "the store failed")
    return Refusal(code, headers.get(TEXT_HEADER) or "refused by the store")


def _unavailable(message: str) -> Refusal:
    return Refusal(ErrorCode.STORE_UNAVAILABLE, message, retry_after_ms=RETRY_AFTER_MS)

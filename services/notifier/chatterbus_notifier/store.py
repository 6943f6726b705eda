"""Questions to the persister's `store` service.

Promises: `ask` returns the decoded answer, or raises a Refusal, within `timeout_s`; STORE_UNAVAILABLE may pass, any
other code will not. Asking changes nothing.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.subjects import store_subject
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

CODE_HEADER: Final = "Nats-Service-Error-Code"
ANSWERS: Final[dict[str, TypeAdapter[Any]]] = {name: TypeAdapter(query.answer) for name, query in QUERIES.items()}


class Requests(Protocol):
    """The part of NatsLink that is needed here."""

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Message: ...


class StoreQueries:
    """Asks over the link; each question has `timeout_s`."""

    def __init__(self, link: Requests, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s

    async def ask(self, query_name: str, question: Wire) -> Any:
        """The answer, of the query's answer model."""
        try:
            reply = await self._link.request(store_subject(query_name), encode(question), self._timeout_s)
        except (TimeoutError, LinkError):
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "the store does not answer") from None
        code = (reply.headers or {}).get(CODE_HEADER)
        if code is not None:
            raise Refusal(ErrorCode.__members__.get(code, ErrorCode.INTERNAL), "the store refused a question")
        try:
            return decode(ANSWERS[query_name], reply.data)
        except DecodeError as error:
            log.error("the store's answer cannot be read", query=query_name, reason=error.message)
            raise Refusal(ErrorCode.INTERNAL, "the store's answer cannot be read") from None

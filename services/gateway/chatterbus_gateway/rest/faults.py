"""Faults of ours, as clients see them.

Promises: an exception that nobody expected becomes an INTERNAL problem that tells the client nothing but a reference;
the log line with the same reference has the rest. Pure ASGI, so streaming and cancellation pass through untouched.
"""

from typing import Final
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.rest.problems import problem_response

log: Final = structlog.stdlib.get_logger(__name__)

REQUEST_ID_HEADER: Final = "X-Request-Id"


class FaultsBecomeProblems:
    """ASGI middleware, outside of everything that may fail."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            reference = uuid4().hex
            log.exception("request failed", reference=reference, method=scope["method"], path=scope["path"])
            if started:
                raise  # half a response is out; only closing the connection tells the client so
            refusal = Refusal(ErrorCode.INTERNAL, f"a fault of ours; its reference is {reference}")
            await problem_response(refusal, headers={REQUEST_ID_HEADER: reference})(scope, receive, send)

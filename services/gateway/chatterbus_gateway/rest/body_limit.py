"""How large a request body may be.

Promises: a body that says it is too large is refused before a byte of it is read; one that turns out to be is refused
when the limit is passed, so at most the limit is held in memory. An upload is not held, and has its own limit.
FastAPI's own limit answers in plain text, and also where another refusal was due; this one answers with the same
problem always.
"""

from typing import Final

from fastapi.exceptions import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.rest.problems import problem_response

BODY_MAX_BYTES: Final = 262_144  # 500 members with the longest ids; a message is at most a quarter of it


class BodyLimit:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, max_bytes: int = BODY_MAX_BYTES, streamed: frozenset[str] = frozenset()) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.streamed:
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > self.max_bytes:
            refusal = Refusal(ErrorCode.FRAME_TOO_LARGE, f"the body is larger than {self.max_bytes} bytes")
            await problem_response(refusal, headers={"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                # FastAPI lets this one exception through from where it reads the body.
                raise HTTPException(status_code=413)
            return message

        await self.app(scope, counted, send)

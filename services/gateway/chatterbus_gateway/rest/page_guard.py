"""What foreign web pages may do here.

Promises: cross-origin requests are answered for the same origins that may open a socket (see `origins`), and in
development mode, where no token protects anything, a request whose Host is not this machine is refused.
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.origins import ANY, host_allowed, origin_allowed
from chatterbus_gateway.rest.faults import REQUEST_ID_HEADER
from chatterbus_gateway.rest.problems import problem_response

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEADERS = ("Authorization", "Content-Type", "X-User-Id", "X-User-Type", "Range", "If-Range", "If-None-Match")
EXPOSED = ("Retry-After", "Content-Range", "Content-Disposition", "ETag", REQUEST_ID_HEADER)


class AllowedPages(CORSMiddleware):
    """CORS by our own rule, so that sockets and REST never differ. No cookies are used, so none are allowed."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str], dev: bool) -> None:
        super().__init__(
            app,
            allow_origins=[ANY] if ANY in allowed else [],
            allow_methods=METHODS,
            allow_headers=HEADERS,
            expose_headers=EXPOSED,
        )
        self._allowed = allowed
        self._dev = dev

    def is_allowed_origin(self, origin: str) -> bool:
        # A page of our own host needs no CORS, so Host does not matter here.
        return origin_allowed(origin, "", self._allowed, self._dev)


class LoopbackHostOnly:
    """ASGI middleware for development mode. Stops pages whose name was re-pointed at 127.0.0.1 (DNS rebinding)."""

    def __init__(self, app: ASGIApp, allowed: frozenset[str]) -> None:
        self.app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if not host_allowed(host, self._allowed, dev=True):
                refusal = Refusal(ErrorCode.FORBIDDEN, "in development mode this server answers to localhost only")
                await problem_response(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

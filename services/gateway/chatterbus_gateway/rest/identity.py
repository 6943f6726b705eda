"""Who asks.

Promises: a route that takes a `Caller` is reached only with a verified token or, in development mode and without a
token, with the identity in X-User-Id and X-User-Type; and not faster than the caller's rate. A token that was sent and
is wrong is refused in development mode too.
"""

from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import InvalidId, parse_user_id
from chatterbus_gateway.principal import DEFAULT_USER_TYPE, Principal
from chatterbus_gateway.rest.request_rates import RequestRates

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    bearerFormat="JWT",
    description="The token your product gave this user. In development mode X-User-Id and X-User-Type do instead.",
)


class Verifies(Protocol):
    """The part of Credentials that is needed here."""

    async def verify(self, token: str) -> Principal: ...


class Callers:
    """Tells callers apart; one per app."""

    def __init__(self, credentials: Verifies, rates: RequestRates, *, dev_mode: bool) -> None:
        self._credentials = credentials
        self._rates = rates
        self._dev_mode = dev_mode

    async def identify(self, request: Request, token: str | None) -> Principal:
        """The caller. Raises Refusal."""
        principal = await self._credentials.verify(token) if token is not None else self._claimed(request)
        self._rates.take(principal.user_id)
        return principal

    def _claimed(self, request: Request) -> Principal:
        if not self._dev_mode or "authorization" in request.headers:
            raise Refusal(ErrorCode.AUTH_REQUIRED, "send Authorization: Bearer <token>")
        user_id = request.headers.get("X-User-Id")
        if user_id is None:
            raise Refusal(
                ErrorCode.AUTH_REQUIRED, "send X-User-Id (development mode), or Authorization: Bearer <token>"
            )
        try:
            user_type = parse_user_id(request.headers.get("X-User-Type", DEFAULT_USER_TYPE))
            return Principal(user_id=parse_user_id(user_id), user_type=user_type, dev=True)
        except InvalidId:
            raise Refusal(ErrorCode.AUTH_FAILED, "X-User-Id or X-User-Type is not a valid id") from None


async def _caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> Principal:
    callers: Callers = request.app.state.callers
    return await callers.identify(request, credentials.credentials if credentials is not None else None)


Caller = Annotated[Principal, Depends(_caller)]


def _admin(caller: Caller) -> Principal:
    if not caller.is_admin:
        raise Refusal(ErrorCode.FORBIDDEN, "this needs the scope chat:admin")
    return caller


Admin = Annotated[Principal, Depends(_admin)]

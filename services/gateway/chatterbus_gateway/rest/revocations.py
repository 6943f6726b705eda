"""Taking tokens back, for those who run the product."""

from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, Request

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.rest import Revocation, RevokeTokens
from chatterbus_gateway.rest.identity import Admin
from chatterbus_gateway.rest.openapi import problems

router: Final = APIRouter(prefix="/api/admin/revocations", tags=["auth"])


class Revokes(Protocol):
    """The part of RevocationFeed that is needed here."""

    async def revoke(self, token_id: str | None, user_id: UserId | None) -> Revocation: ...


def _revokes(request: Request) -> Revokes:
    revokes: Revokes | None = request.app.state.revokes
    if revokes is None:
        raise Refusal(ErrorCode.STORE_UNAVAILABLE, "this server keeps no revocations")
    return revokes


@router.post(
    "",
    operation_id="revokeTokens",
    summary="Take tokens back before they expire",
    status_code=201,
    response_model=Revocation,
    responses=problems(),
)
async def revoke_tokens(body: RevokeTokens, _: Admin, revokes: Annotated[Revokes, Depends(_revokes)]) -> Revocation:
    """One token by its `jti` (`tokenId`), or all that were issued to a user until now (`userId`). At every gateway,
    sockets that they opened are closed with 4502 within moments, and they open nothing more. A token that is issued to
    the user in the same second may be refused too, since `iat` counts seconds. Needs the scope chat:admin."""
    if (body.token_id is None) == (body.user_id is None):
        raise Refusal(ErrorCode.BAD_REQUEST, "give tokenId or userId, one of them")
    return await revokes.revoke(body.token_id, body.user_id)

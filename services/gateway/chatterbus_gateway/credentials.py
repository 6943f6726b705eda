"""What somebody brings to prove who they are, and whether it is still good.

Promises: a principal comes out only for a token that verifies, or a ticket that was not used, and only while the token
behind it is not revoked.
"""

from __future__ import annotations

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.revocations import Revocations
from chatterbus_gateway.tickets import TicketOffice
from chatterbus_gateway.tokens import TokenVerifier


class Credentials:
    """Each method raises Refusal: what its source raises, or TOKEN_REVOKED."""

    def __init__(self, verifier: TokenVerifier, tickets: TicketOffice, revocations: Revocations) -> None:
        self._verifier = verifier
        self._tickets = tickets
        self._revocations = revocations

    async def verify(self, token: str) -> Principal:
        """The token's bearer."""
        return self._good(await self._verifier.verify(token))

    def verify_now(self, token: str) -> Principal | None:
        """As `verify`, without waiting; None when it must."""
        principal = self._verifier.verify_now(token)
        return None if principal is None else self._good(principal)

    async def redeem(self, ticket: str) -> Principal:
        """Who bought the ticket."""
        return self._good(await self._tickets.redeem(ticket))

    def _good(self, principal: Principal) -> Principal:
        if self._revocations.covers(principal):
            raise Refusal(ErrorCode.TOKEN_REVOKED, "the token was revoked")
        return principal

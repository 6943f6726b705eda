"""Buying a ticket for the socket."""

from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, Request, Response

from chatterbus_contracts.codec import encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.rest import Ticket
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import problems
from chatterbus_gateway.wall_time import iso_time

router: Final = APIRouter(prefix="/api/auth", tags=["auth"])


class Tickets(Protocol):
    """The part of TicketOffice that is needed here."""

    async def issue(self, principal: Principal) -> tuple[str, float]: ...


def _tickets(request: Request) -> Tickets:
    tickets: Tickets | None = request.app.state.tickets
    if tickets is None:
        raise Refusal(ErrorCode.STORE_UNAVAILABLE, "this server sells no tickets")
    return tickets


UsedTickets = Annotated[Tickets, Depends(_tickets)]


@router.post(
    "/ticket",
    operation_id="buyTicket",
    summary="Buy a ticket for the socket",
    status_code=201,
    response_model=Ticket,
    responses=problems(),
)
async def buy_ticket(caller: Caller, tickets: UsedTickets) -> Response:
    """Good once, for 30 s, at any gateway: send it as `auth {ticket}` instead of a token, as the first frame or to
    renew. The socket lives as long as the token that bought it. Send a ticket in a frame, never in a URL."""
    ticket, expires_at_s = await tickets.issue(caller)
    answer = Ticket(ticket=ticket, expires_at=iso_time(expires_at_s))
    return Response(
        encode(answer), status_code=201, media_type="application/json", headers={"Cache-Control": "no-store"}
    )

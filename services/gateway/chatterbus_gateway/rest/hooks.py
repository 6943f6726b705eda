"""Webhooks, for those who run the product: what was delivered, and delivering it again.

Promises: both routes need the scope chat:admin. They ask the notifier, which delivers; its answer is passed on. Asking
for the same replay again is harmless: the events keep their ids.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import DELIVERIES_PAGE_MAX
from chatterbus_contracts.webhooks import AskDeliveries, AskReplay, DeliveriesPage, Replayed
from chatterbus_gateway.notifier import Notifier
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.identity import Admin
from chatterbus_gateway.rest.openapi import problems
from chatterbus_gateway.rest.parameters import POSITION_MAX

router: Final = APIRouter(prefix="/api/admin/webhooks", tags=["webhooks"])

Outcome = Annotated[
    Literal["delivered", "retrying", "dead"] | None, Query(description="only attempts that ended like this")
]
BeforePlace = Annotated[int | None, Query(ge=1, le=POSITION_MAX, description="`nextCursor` of the page before")]
DeliveriesLimit = Annotated[int, Query(ge=1, le=DELIVERIES_PAGE_MAX)]


def _notifier(request: Request) -> Notifier:
    notifier: Notifier | None = request.app.state.notifier
    if notifier is None:
        raise Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "nobody delivers webhooks here")
    return notifier


UsedNotifier = Annotated[Notifier, Depends(_notifier)]


@router.get(
    "/deliveries",
    operation_id="listDeliveries",
    summary="Attempts to deliver webhooks, newest first",
    response_model=DeliveriesPage,
    responses=problems(ErrorCode.WEBHOOKS_UNAVAILABLE),
)
async def list_deliveries(
    _: Admin,
    notifier: UsedNotifier,
    outcome: Outcome = None,
    cursor: BeforePlace = None,
    limit: DeliveriesLimit = 50,
) -> Response:
    """As long as the log keeps them. Needs the scope chat:admin."""
    return passed_on(await notifier.ask_hooks("deliveries", AskDeliveries(outcome=outcome, before=cursor, limit=limit)))


@router.post(
    "/replay",
    operation_id="replayWebhooks",
    summary="Deliver webhooks again, by time",
    response_model=Replayed,
    status_code=202,
    responses=problems(ErrorCode.WEBHOOKS_UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.FRAME_TOO_LARGE),
)
async def replay_webhooks(body: AskReplay, _: Admin, notifier: UsedNotifier) -> Response:
    """What happened from `since` on, until `until`, whether it was delivered or given up: with the same ids, in order.
    Answers how many events wait again. Needs the scope chat:admin."""
    since = _time("since", body.since)
    if body.until is not None and _time("until", body.until) < since:
        raise Refusal(ErrorCode.BAD_REQUEST, "until: lies before since")
    return passed_on(await notifier.ask_hooks("replay", body, changes=True), status=202)


def _time(field: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Refusal(ErrorCode.BAD_REQUEST, f"{field}: not a time in UTC, ISO 8601, such as 2026-01-31T12:00:00.000Z")
    return time

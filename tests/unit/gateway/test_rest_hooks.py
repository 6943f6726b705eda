"""Webhooks for those who run the product."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.webhooks import AskDeliveries, AskReplay
from tests.unit.gateway.rest_fakes import Rest, problem

SINCE = "2026-01-31T12:00:00.000Z"
REPLAY = "/api/admin/webhooks/replay"
DELIVERIES = "/api/admin/webhooks/deliveries"


@pytest.fixture
def rest() -> Rest:
    return Rest()


async def test_the_log_is_asked_for_with_all_that_was_said_and_passed_on(rest: Rest) -> None:
    rest.notifier.answers["deliveries"] = {"items": [], "nextCursor": "41"}
    async with rest.client("root-token") as client:
        response = await client.get(f"{DELIVERIES}?outcome=dead&cursor=99&limit=7")
    assert response.json() == {"items": [], "nextCursor": "41"}
    assert rest.notifier.hooks_asked == [("deliveries", AskDeliveries(outcome="dead", before=99, limit=7), False)]


async def test_a_replay_is_asked_for_and_its_number_is_passed_on(rest: Rest) -> None:
    rest.notifier.answers["replay"] = {"events": 3}
    body = {"since": SINCE, "until": "2026-01-31T13:00:00.000Z", "type": "message.missed"}
    async with rest.client("root-token") as client:
        response = await client.post(REPLAY, json=body)
    assert (response.status_code, response.json()) == (202, {"events": 3})
    assert rest.notifier.hooks_asked == [("replay", AskReplay(**body), True)]


async def test_without_the_scope_neither_is_to_be_had(rest: Rest) -> None:
    async with rest.client() as client:
        problem(await client.get(DELIVERIES), ErrorCode.FORBIDDEN)
        problem(await client.post(REPLAY, json={"since": SINCE}), ErrorCode.FORBIDDEN)
    assert rest.notifier.hooks_asked == []


@pytest.mark.parametrize("query", ["?outcome=lost", "?cursor=0", "?cursor=x", "?limit=0", "?limit=201"])
async def test_what_is_no_page_of_the_log_is_refused(rest: Rest, query: str) -> None:
    async with rest.client("root-token") as client:
        problem(await client.get(f"{DELIVERIES}{query}"), ErrorCode.BAD_REQUEST)
    assert rest.notifier.hooks_asked == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"since": "yesterday"},
        {"since": "2026-01-31T12:00:00"},
        {"since": SINCE, "until": "2026-01-31T11:59:59.999Z"},
        {"since": SINCE, "type": "message.deleted"},
        {"since": 5},
    ],
)
async def test_what_is_no_span_of_time_is_refused(rest: Rest, body: dict[str, Any]) -> None:
    async with rest.client("root-token") as client:
        problem(await client.post(REPLAY, json=body), ErrorCode.BAD_REQUEST)
    assert rest.notifier.hooks_asked == []


async def test_that_nobody_delivers_webhooks_is_said(rest: Rest) -> None:
    rest.notifier.answers["deliveries"] = Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "nobody")
    rest.notifier.answers["replay"] = Refusal(ErrorCode.TIMEOUT, "late")
    async with rest.client("root-token") as client:
        problem(await client.get(DELIVERIES), ErrorCode.WEBHOOKS_UNAVAILABLE)
        problem(await client.post(REPLAY, json={"since": SINCE}), ErrorCode.TIMEOUT)

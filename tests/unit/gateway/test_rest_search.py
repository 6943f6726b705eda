from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from chatterbus_contracts.codec import decode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskSearch, SearchPage
from chatterbus_gateway.rest.search import EXAMPLE
from tests.unit.gateway.rest_fakes import Rest, problem


@pytest.fixture
def rest() -> Rest:
    return Rest()


async def test_a_search_is_passed_on_with_what_was_asked(rest: Rest) -> None:
    rest.store.answers["search"] = {"items": [], "nextCursor": None}
    async with rest.client() as client:
        plain = await client.get("/api/chat/search", params={"q": "oak tab"})
        await client.get(
            "/api/chat/search", params={"q": "x", "threadId": "t", "order": "rank", "cursor": "abc", "limit": 50}
        )
    assert (plain.status_code, plain.json()) == (200, {"items": [], "nextCursor": None})
    assert rest.store.asked == [
        ("search", AskSearch(user_id="alice", text="oak tab")),
        ("search", AskSearch(user_id="alice", text="x", thread_id="t", order="rank", cursor="abc", limit=50)),
    ]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"q": ""},
        {"q": "x" * 201},
        {"q": "\x00"},
        {"q": "x", "order": "best"},
        {"q": "x", "limit": 51},
        {"q": "x", "threadId": "*"},
    ],
)
async def test_a_malformed_search_is_refused_before_the_store_is_asked(rest: Rest, params: dict[str, Any]) -> None:
    async with rest.client() as client:
        problem(await client.get("/api/chat/search", params=params), ErrorCode.BAD_REQUEST)
    assert rest.store.asked == []


async def test_in_development_mode_too_a_search_opens_no_thread(rest: Rest) -> None:
    dev = Rest(gateway_dev_mode=True)
    dev.store.answers["search"] = Refusal(ErrorCode.THREAD_NOT_FOUND, "no")
    async with dev.client(None, **{"X-User-Id": "eve"}) as client:
        response = await client.get("/api/chat/search", params={"q": "x", "threadId": "t"})
    problem(response, ErrorCode.THREAD_NOT_FOUND)
    assert dev.opened == []


def test_the_example_in_the_document_is_an_answer(rest: Rest) -> None:
    responses = rest.app.openapi()["paths"]["/api/chat/search"]["get"]["responses"]
    assert responses["200"]["content"]["application/json"]["examples"]["found"]
    assert decode(TypeAdapter(SearchPage), json.dumps(EXAMPLE)).items

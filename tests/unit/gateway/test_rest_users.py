"""Who is there, over REST: as the caller may see it."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from tests.unit.gateway.rest_fakes import Rest, problem

SEEN = "2026-01-31T12:00:00.000Z"


@pytest.fixture
def rest() -> Rest:
    rest = Rest()
    rest.notifier.sees("bob", "online")
    rest.notifier.sees("carl", "dnd")
    rest.notifier.sees("dora", "offline", SEEN)
    rest.notifier.sees("eve", "away")
    return rest


def contacts(*pages: list[str]) -> list[dict[str, Any]]:
    return [
        {"userIds": page, "nextCursor": page[-1] if number + 1 < len(pages) else None}
        for number, page in enumerate(pages)
    ]


async def listed(rest: Rest, query: str = "", token: str = "alice-token") -> dict[str, Any]:
    async with rest.client(token) as client:
        response = await client.get(f"/api/users/online{query}")
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_contacts_who_are_there_are_listed_and_nobody_else(rest: Rest) -> None:
    rest.store.answers["contacts"] = contacts(["bob", "dora", "zoe"])
    page = await listed(rest)
    assert page == {"items": [{"userId": "bob", "status": "online", "lastSeenAt": None}], "nextCursor": None}
    assert rest.notifier.asked == [["bob", "dora", "zoe"]]


async def test_a_page_of_contacts_goes_on_behind_the_last_one_it_lists(rest: Rest) -> None:
    rest.store.answers["contacts"] = contacts(["bob", "carl", "eve"])
    page = await listed(rest, "?limit=2")
    assert [item["userId"] for item in page["items"]] == ["bob", "carl"]
    assert page["nextCursor"] == "carl"
    rest.store.answers["contacts"] = contacts(["eve"])
    page = await listed(rest, "?limit=2&cursor=carl")
    assert ([item["userId"] for item in page["items"]], page["nextCursor"]) == (["eve"], None)
    assert rest.store.asked[-1][1].model_dump()["after"] == "carl"


async def test_what_one_request_asks_is_bounded_and_an_empty_page_says_where_to_go_on(rest: Rest) -> None:
    rest.store.answers["contacts"] = contacts(*[[f"m{n}"] for n in range(9)])
    page = await listed(rest)
    assert page == {"items": [], "nextCursor": "m3"}
    assert len(rest.store.asked) == len(rest.notifier.asked) == 4


async def test_without_contacts_nobody_is_asked(rest: Rest) -> None:
    rest.store.answers["contacts"] = contacts([])
    assert await listed(rest) == {"items": [], "nextCursor": None}
    assert rest.notifier.asked == []


async def test_an_admin_sees_everybody_by_pages(rest: Rest) -> None:
    page = await listed(rest, "?limit=2", "root-token")
    assert ([item["userId"] for item in page["items"]], page["nextCursor"]) == (["bob", "carl"], "carl")
    page = await listed(rest, "?limit=2&cursor=carl", "root-token")
    assert ([item["userId"] for item in page["items"]], page["nextCursor"]) == (["eve"], None)
    assert rest.store.asked == []


async def test_with_platform_visibility_everybody_sees_everybody() -> None:
    rest = Rest(gateway_presence_visibility="platform")
    rest.notifier.sees("bob", "online")
    assert [item["userId"] for item in (await listed(rest))["items"]] == ["bob"]
    rest.store.answers["sharing"] = {"userIds": []}
    async with rest.client() as client:
        assert (await client.get("/api/users/bob/presence")).json()["status"] == "online"


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?cursor=a%20b", "?cursor=a.b", "?limit=x"])
async def test_what_is_no_page_is_refused(rest: Rest, query: str) -> None:
    async with rest.client() as client:
        problem(await client.get(f"/api/users/online{query}"), ErrorCode.BAD_REQUEST)
    assert rest.store.asked == []


async def test_a_contacts_presence_is_told(rest: Rest) -> None:
    rest.store.answers["sharing"] = {"userIds": ["dora"]}
    async with rest.client() as client:
        response = await client.get("/api/users/dora/presence")
    assert response.json() == {"userId": "dora", "status": "offline", "lastSeenAt": SEEN}


async def test_a_stranger_looks_like_one_whom_nobody_has_ever_seen(rest: Rest) -> None:
    rest.store.answers["sharing"] = {"userIds": []}
    async with rest.client() as client:
        stranger, unknown = [await client.get(f"/api/users/{user}/presence") for user in ("bob", "nobody")]
    assert stranger.status_code == unknown.status_code == 200
    assert stranger.json() == {"userId": "bob", "status": "offline", "lastSeenAt": None}
    assert unknown.json() == {"userId": "nobody", "status": "offline", "lastSeenAt": None}
    assert stranger.headers.keys() == unknown.headers.keys()


async def test_that_presence_cannot_be_had_is_said_of_strangers_too(rest: Rest) -> None:
    rest.notifier.missing = {"bob", "dora"}
    for user, sharing in (("bob", []), ("dora", ["dora"])):
        rest.store.answers["sharing"] = {"userIds": sharing}
        async with rest.client() as client:
            problem(await client.get(f"/api/users/{user}/presence"), ErrorCode.PRESENCE_UNAVAILABLE)


async def test_a_store_that_is_away_refuses_rather_than_shows(rest: Rest) -> None:
    rest.store.answers = {name: Refusal(ErrorCode.STORE_UNAVAILABLE, "away") for name in ("sharing", "contacts")}
    async with rest.client() as client:
        problem(await client.get("/api/users/bob/presence"), ErrorCode.STORE_UNAVAILABLE)
        problem(await client.get("/api/users/online"), ErrorCode.STORE_UNAVAILABLE)


async def test_oneself_and_anyone_for_an_admin_may_be_asked_about(rest: Rest) -> None:
    rest.notifier.sees("alice", "away")
    rest.store.answers["sharing"] = {"userIds": []}
    async with rest.client() as client:
        assert (await client.get("/api/users/alice/presence")).json()["status"] == "away"
    async with rest.client("root-token") as client:
        assert (await client.get("/api/users/carl/presence")).json()["status"] == "dnd"


async def test_a_page_of_contacts_of_whom_some_are_not_known_is_refused(rest: Rest) -> None:
    rest.store.answers["contacts"] = contacts(["bob", "dora"])
    rest.notifier.missing = {"dora"}
    async with rest.client() as client:
        problem(await client.get("/api/users/online"), ErrorCode.PRESENCE_UNAVAILABLE)

"""Finding messages, from outside: said over the socket, asked over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

FRESH_WITHIN_S = 15.0


async def search(stack: Deployment, user: str, q: str, **params: Any) -> dict[str, Any]:
    async with stack.rest(user) as client:
        response = await client.get("/api/chat/search", params={"q": q, **params})
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def found(stack: Deployment, user: str, q: str, **params: Any) -> list[str]:
    return [item["message"]["content"] for item in (await search(stack, user, q, **params))["items"]]


async def until_found(stack: Deployment, user: str, q: str, contents: list[str], **params: Any) -> None:
    async def as_wanted() -> bool:
        return sorted(await found(stack, user, q, **params)) == sorted(contents)

    await until(as_wanted, FRESH_WITHIN_S, f"{q} finds {contents}")


async def say(stack: Deployment, user: str, thread: str, *texts: str) -> list[str]:
    """Ids of the messages."""
    socket = await stack.join(user, thread)
    ids = [(await socket.say(thread, text, f"m-{number}"))["serverMessageId"] for number, text in enumerate(texts)]
    await socket.close()
    return ids


async def test_what_is_said_is_found_by_members_and_by_nobody_else(stack: Deployment, thread: str) -> None:
    await stack.create_thread(thread, "alice", "bob")
    (message_id,) = await say(stack, "alice", thread, f"the zebra of {thread} is here")
    await until_found(stack, "bob", "zebra", [f"the zebra of {thread} is here"], threadId=thread)
    (item,) = (await search(stack, "bob", "zebra", threadId=thread))["items"]
    assert item["message"]["id"] == message_id
    assert item["snippet"] == f"the \u0001zebra\u0002 of {thread} is here"
    assert await found(stack, "eve", "zebra") == []
    async with stack.rest("eve") as client:
        foreign = await client.get("/api/chat/search", params={"q": "zebra", "threadId": thread})
        unknown = await client.get("/api/chat/search", params={"q": "zebra", "threadId": f"{thread}-none"})
    assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
    assert foreign.json()["code"] == "THREAD_NOT_FOUND"


async def test_who_was_removed_finds_nothing_any_more(stack: Deployment, thread: str) -> None:
    owner, bob = f"owner-{thread}", f"bob-{thread}"
    await stack.create_thread(thread, owner, bob)
    await say(stack, owner, thread, "okapi")
    await until_found(stack, bob, "okapi", ["okapi"])
    async with stack.rest(owner) as client:
        removed = await client.delete(f"/api/chat/threads/{thread}/members/{bob}")
    assert removed.is_success, removed.text
    assert await found(stack, bob, "okapi") == []
    assert await found(stack, owner, "okapi") == ["okapi"]


async def test_edits_and_deletes_are_true_at_once(stack: Deployment, thread: str) -> None:
    user = f"user-{thread}"
    await stack.create_thread(thread, user)
    first, second = await say(stack, user, thread, "the old giraffe", "another giraffe")
    await until_found(stack, user, "giraffe", ["the old giraffe", "another giraffe"])
    async with stack.rest(user) as client:
        (await client.patch(f"/api/chat/messages/{first}", json={"content": "a new hippo"})).raise_for_status()
        assert await found(stack, user, "giraffe") == ["another giraffe"]
        (await client.delete(f"/api/chat/messages/{second}")).raise_for_status()
        assert await found(stack, user, "giraffe") == []
    await until_found(stack, user, "hippo", ["a new hippo"])
    assert await found(stack, user, "old") == []


async def test_people_search_as_they_are_used_to(stack: Deployment, thread: str) -> None:
    user = f"user-{thread}"
    await stack.create_thread(thread, user)
    texts = [
        "Über die Straße nach Kärnten",
        "the oak table",
        "an oak door and a table",
        "👍 done",
        'it\'s "quoted" & (odd) | !!',
        "'); drop table messages; --",
    ]
    await say(stack, user, thread, *texts)
    await until_found(stack, user, "oak", texts[1:3])
    for q, places in {
        "über kärn": [0],
        "STRASSE": [],
        "STRAßE": [0],
        '"oak table"': [1],
        "oak -door": [1],
        "oak tab": [1, 2],
        "oak tab ": [],
        "done or straße": [0, 3],
        "👍": [],
        "👍 done": [3],
        '"': [],
        "'); drop": [5],
        ":* & |!()": [],
        "it's": [4],
        "%": [],
        "\\": [],
    }.items():
        assert sorted(await found(stack, user, q)) == sorted(texts[place] for place in places), q


@pytest.mark.parametrize("order", ["newest", "rank"])
async def test_pages_are_complete_and_without_doubles(stack: Deployment, thread: str, order: str) -> None:
    user = f"user-{thread}"
    threads = [f"{thread}-{number}" for number in range(3)]
    texts = [f"lemur {'lemur ' * (number % 3)}{number}" for number in range(8)]
    for each in threads:
        await stack.create_thread(each, user)
        await say(stack, user, each, *texts)
    await until_found(stack, user, "lemur", texts * 3, limit=50)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await search(stack, user, "lemur", order=order, limit=5, **({"cursor": cursor} if cursor else {}))
        seen += [item["message"]["id"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"{each}~{seq}" for each in threads for seq in range(1, 9))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"q": ""},
        {"q": "x" * 201},
        {"q": "a\x00b"},
        {"q": "x", "limit": 0},
        {"q": "x", "limit": 51},
        {"q": "x", "order": "random"},
        {"q": "x", "cursor": "nonsense"},
        {"q": "x", "threadId": "a.b"},
        {"q": "- " * 100},
    ],
)
async def test_a_malformed_question_is_a_bad_request(stack: Deployment, params: dict[str, Any]) -> None:
    async with stack.rest("alice") as client:
        response = await client.get("/api/chat/search", params=params)
    assert (response.status_code, response.json()["code"]) == (422, "BAD_REQUEST"), response.text

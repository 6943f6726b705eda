from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import AddMember, CreateThread, MoveCursor, RemoveMember, UpdateThread
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskChanges, AskMembership, AskThread, AskThreads, AskUnread
from chatterbus_gateway.rest.unread import LAST
from tests.unit.gateway.rest_fakes import Rest, acked, problem, refused


@pytest.fixture
def rest() -> Rest:
    return Rest()


async def test_a_created_thread_is_answered_with_its_state(rest: Rest) -> None:
    rest.store.answers["thread"] = {"id": "t1", "rev": 1}
    async with rest.client() as client:
        response = await client.post(
            "/api/chat/threads",
            json={"id": "t1", "title": "One", "metadata": {"a": [1]}, "members": [{"userId": "bob", "role": "reader"}]},
        )
    assert (response.status_code, response.json()) == (201, {"id": "t1", "rev": 1})
    assert response.headers["location"] == "/api/chat/threads/t1"
    (command,) = rest.queue.commands
    assert isinstance(command, CreateThread)
    assert (command.thread_id, command.user_id, command.gateway, command.open) == ("t1", "alice", "gw-test", False)
    assert (command.title, command.metadata, command.members[0].user_id) == ("One", {"a": [1]}, "bob")
    assert rest.store.asked == [("thread", AskThread(thread_id="t1", user_id="alice"))]


async def test_a_thread_without_an_id_gets_a_new_one(rest: Rest) -> None:
    async with rest.client() as client:
        for _ in range(2):
            assert (await client.post("/api/chat/threads", json={})).status_code == 201
    first, second = rest.queue.commands
    assert first.thread_id != second.thread_id
    assert first.id != second.id
    assert len(first.thread_id) == 32


async def test_a_thread_that_cannot_be_shown_after_its_creation_is_not_called_rejected(rest: Rest) -> None:
    rest.store.answers["thread"] = Refusal(ErrorCode.STORE_UNAVAILABLE, "away", retry_after_ms=1000)
    async with rest.client() as client:
        response = await client.post("/api/chat/threads", json={"id": "t1"})
    assert "t1" in problem(response, ErrorCode.TIMEOUT)["detail"]
    assert response.headers["retry-after"] == "1"


async def test_members_are_added_by_one_command_each_and_the_thread_is_shown(rest: Rest) -> None:
    async with rest.client() as client:
        body = {"members": [{"userId": "bob"}, {"userId": "carol", "userType": "bot", "role": "owner"}]}
        response = await client.post("/api/chat/threads/t1/members", json=body)
    assert (response.status_code, response.json()) == (200, {"query": "thread"})
    added = [command.member for command in rest.queue.commands if isinstance(command, AddMember)]
    assert [(member.user_id, member.user_type, member.role) for member in added] == [
        ("bob", "user", "member"),
        ("carol", "bot", "owner"),
    ]


async def test_members_added_in_part_are_not_called_rejected(rest: Rest) -> None:
    def half(command: Any) -> Any:
        return acked(command) if command.member.user_id == "bob" else refused(ErrorCode.QUEUE_FULL)(command)

    rest.queue.outcomes["member.add"] = half
    async with rest.client() as client:
        response = await client.post(
            "/api/chat/threads/t1/members", json={"members": [{"userId": "bob"}, {"userId": "carol"}]}
        )
        problem(response, ErrorCode.TIMEOUT)
        rest.queue.outcomes["member.add"] = refused(ErrorCode.FORBIDDEN)
        response = await client.post("/api/chat/threads/t1/members", json={"members": [{"userId": "bob"}]})
    problem(response, ErrorCode.FORBIDDEN)


async def test_a_client_is_not_told_to_try_again_what_can_never_succeed(rest: Rest) -> None:
    codes = {"bob": None, "carol": ErrorCode.QUEUE_FULL, "alice": ErrorCode.LAST_OWNER}

    def some(command: Any) -> Any:
        code = codes[command.member.user_id]
        return acked(command) if code is None else refused(code)(command)

    rest.queue.outcomes["member.add"] = some
    async with rest.client() as client:
        body = {"members": [{"userId": user} for user in codes]}
        response = await client.post("/api/chat/threads/t1/members", json=body)
    assert "the other members were added" in problem(response, ErrorCode.LAST_OWNER)["detail"]


@pytest.mark.parametrize("user", ["bob", "alice"])
async def test_a_removed_member_leaves_nothing_to_show(rest: Rest, user: str) -> None:
    async with rest.client() as client:
        response = await client.delete(f"/api/chat/threads/t1/members/{user}")
    assert (response.status_code, response.content) == (204, b"")
    (command,) = rest.queue.commands
    assert isinstance(command, RemoveMember)
    assert (command.thread_id, command.user_id, command.member_id) == ("t1", "alice", user)
    assert rest.store.asked == []


async def test_the_last_owner_cannot_leave(rest: Rest) -> None:
    rest.queue.outcomes["member.remove"] = refused(ErrorCode.LAST_OWNER)
    async with rest.client() as client:
        problem(await client.delete("/api/chat/threads/t1/members/alice"), ErrorCode.LAST_OWNER)


@pytest.mark.parametrize(
    ("body", "fields", "title", "metadata"),
    [
        ({"title": "Two"}, ["title"], "Two", None),
        ({"title": None}, ["title"], None, None),
        ({"metadata": {"a": 1}}, ["metadata"], None, {"a": 1}),
        ({"metadata": None, "title": "Two"}, ["metadata", "title"], "Two", None),
    ],
)
async def test_what_is_present_is_set_and_null_clears(
    rest: Rest, body: dict[str, Any], fields: list[str], title: str | None, metadata: Any
) -> None:
    rest.store.answers["thread"] = {"id": "t1", "title": title}
    async with rest.client() as client:
        response = await client.patch("/api/chat/threads/t1", json=body)
    assert (response.status_code, response.json()) == (200, {"id": "t1", "title": title})
    (command,) = rest.queue.commands
    assert isinstance(command, UpdateThread)
    assert (command.fields, command.title, command.metadata) == (fields, title, metadata)


@pytest.mark.parametrize("body", [{}, {"tittle": "x"}, {"title": ""}, {"title": "x" * 201}, {"metadata": []}, []])
async def test_an_update_of_nothing_or_to_what_may_not_be_is_refused(rest: Rest, body: Any) -> None:
    async with rest.client() as client:
        problem(await client.patch("/api/chat/threads/t1", json=body), ErrorCode.BAD_REQUEST)
    assert rest.queue.commands == []


async def test_reads_are_passed_on_with_what_was_asked(rest: Rest) -> None:
    async with rest.client() as client:
        for path in (
            "/api/chat/threads/t1",
            "/api/chat/threads/t1/changes?sinceRev=7&limit=500",
            "/api/chat/threads/t1/changes?sinceRev=7&cursor=90",
            "/api/chat/threads?cursor=abc&limit=100",
            "/api/chat/threads/alice/user",
            "/api/chat/threads?archived=true",
            "/api/chat/threads/alice/user?archived=true&limit=7",
            "/api/chat/unread",
        ):
            response = await client.get(path)
            assert response.status_code == 200, response.text
            assert response.headers["content-type"] == "application/json"
    assert rest.store.asked == [
        ("thread", AskThread(thread_id="t1", user_id="alice")),
        ("changes", AskChanges(thread_id="t1", user_id="alice", since_rev=7, limit=500)),
        ("changes", AskChanges(thread_id="t1", user_id="alice", since_rev=90, limit=200)),
        ("threads", AskThreads(user_id="alice", cursor="abc", limit=100)),
        ("threads", AskThreads(user_id="alice")),
        ("threads", AskThreads(user_id="alice", archived=True)),
        ("threads", AskThreads(user_id="alice", archived=True, limit=7)),
        ("unread", AskUnread(user_id="alice")),
    ]


async def test_parts_of_a_thread_win_over_a_user_s_type_of_the_same_name(rest: Rest) -> None:
    async with rest.client() as client:
        await client.get("/api/chat/threads/alice/messages")
        await client.get("/api/chat/threads/alice/changes")
        problem(await client.get("/api/chat/threads/alice/members"), ErrorCode.NOT_FOUND)
    assert [query for query, _ in rest.store.asked] == ["history", "changes"]


@pytest.mark.parametrize(
    ("body", "seq"),
    [(None, LAST), ({}, LAST), ({"seq": 5}, 5), ({"messageId": "t1~7"}, 7), ({"seq": 7, "messageId": "t1~7"}, 7)],
)
async def test_mark_read_moves_the_read_cursor_and_shows_the_member(rest: Rest, body: Any, seq: int) -> None:
    async with rest.client() as client:
        response = await client.post("/api/chat/threads/t1/mark-read", json=body)
    assert (response.status_code, response.json()) == (200, {"query": "membership"})
    (command,) = rest.queue.commands
    assert isinstance(command, MoveCursor)
    assert (command.read_seq, command.delivered_seq) == (seq, None)
    assert rest.store.asked == [("membership", AskMembership(thread_id="t1", user_id="alice"))]


async def test_mark_read_needs_no_body_at_all(rest: Rest) -> None:
    async with rest.client() as client:
        assert (await client.post("/api/chat/threads/t1/mark-read")).status_code == 200


@pytest.mark.parametrize(
    "body", [{"messageId": "t2~7"}, {"seq": 6, "messageId": "t1~7"}, {"seq": 0}, {"seq": "7"}, {"messageId": "t1"}]
)
async def test_a_mark_that_names_no_place_in_the_thread_is_refused(rest: Rest, body: dict[str, Any]) -> None:
    async with rest.client() as client:
        problem(await client.post("/api/chat/threads/t1/mark-read", json=body), ErrorCode.BAD_REQUEST)
    assert rest.queue.commands == []


class TestDevelopmentMode:
    @pytest.fixture
    def dev(self) -> Rest:
        return Rest(gateway_dev_mode=True)

    @pytest.mark.parametrize("part", ["", "/messages", "/changes"])
    async def test_an_unknown_thread_comes_to_be_when_it_is_read(self, dev: Rest, part: str) -> None:
        query = {"": "thread", "/messages": "history", "/changes": "changes"}[part]
        dev.store.answers[query] = [Refusal(ErrorCode.THREAD_NOT_FOUND, "no"), {"now": "there"}]
        async with dev.client(None, **{"X-User-Id": "eve"}) as client:
            response = await client.get(f"/api/chat/threads/t1{part}")
        assert response.json() == {"now": "there"}
        (command,) = dev.queue.commands
        assert isinstance(command, CreateThread)
        assert (command.open, command.user_id, command.gateway) == (True, "eve", "gw-test")

    async def test_a_thread_that_stays_closed_is_refused_as_any_unknown_one(self, dev: Rest) -> None:
        dev.store.answers["thread"] = Refusal(ErrorCode.THREAD_NOT_FOUND, "no such thread")
        dev.queue.outcomes["thread.create"] = refused(ErrorCode.FORBIDDEN)
        async with dev.client(None, **{"X-User-Id": "eve"}) as client:
            problem(await client.get("/api/chat/threads/t1"), ErrorCode.THREAD_NOT_FOUND)

    async def test_a_token_s_bearer_opens_no_thread(self, dev: Rest) -> None:
        dev.store.answers["thread"] = Refusal(ErrorCode.THREAD_NOT_FOUND, "no such thread")
        async with dev.client("alice-token") as client:
            problem(await client.get("/api/chat/threads/t1"), ErrorCode.THREAD_NOT_FOUND)
        assert dev.queue.commands == []

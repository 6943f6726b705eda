from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import StoreMessage
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import CONTENT_MAX_CHARS
from chatterbus_contracts.queries import AskHistory, AskMessage
from tests.unit.gateway.rest_fakes import Rest, problem, queued, refused

HELLO = {"threadId": "t1", "content": "Hello", "clientMessageId": "c1"}


@pytest.fixture
def rest() -> Rest:
    return Rest()


async def test_a_stored_message_is_answered_with_its_state(rest: Rest) -> None:
    rest.store.answers["message"] = {"id": "t1~1", "seq": 1}
    body = HELLO | {"metadata": {"k": "v"}, "mentions": ["bob"], "replyToId": "t1~9", "messageType": "file"}
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", json=body)
    assert (response.status_code, response.json()) == (201, {"id": "t1~1", "seq": 1})
    (command,) = rest.queue.commands
    assert isinstance(command, StoreMessage)
    assert (command.thread_id, command.user_id, command.user_type, command.gateway) == (
        "t1",
        "alice",
        "user",
        "gw-test",
    )
    assert (command.client_message_id, command.content, command.message_type) == ("c1", "Hello", "file")
    assert (command.metadata, command.mentions, command.reply_to_id) == ({"k": "v"}, ["bob"], "t1~9")
    assert rest.store.asked == [("message", AskMessage(message_id="t1~1", user_id="alice"))]
    assert rest.opened == []


async def test_a_retry_is_another_command_for_the_same_message(rest: Rest) -> None:
    async with rest.client() as client:
        responses = [await client.post("/api/chat/messages", json=HELLO) for _ in range(2)]
    assert [response.status_code for response in responses] == [201, 201]
    assert responses[0].content == responses[1].content
    first, second = rest.queue.commands
    assert isinstance(first, StoreMessage)
    assert isinstance(second, StoreMessage)
    assert first.id != second.id
    assert first.client_message_id == second.client_message_id


async def test_a_message_without_a_client_message_id_gets_one(rest: Rest) -> None:
    async with rest.client() as client:
        await client.post("/api/chat/messages", json={"threadId": "t1", "content": "Hello"})
    (command,) = rest.queue.commands
    assert isinstance(command, StoreMessage)
    assert len(command.client_message_id) == 32


async def test_a_message_that_is_queued_and_not_yet_stored_is_202(rest: Rest) -> None:
    rest.queue.outcomes["message.send"] = queued
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", json=HELLO)
    assert response.status_code == 202
    assert response.json() == {"status": "queued", "threadId": "t1", "clientMessageId": "c1"}


async def test_a_stored_message_that_cannot_be_read_is_never_refused(rest: Rest) -> None:
    rest.store.answers["message"] = Refusal(ErrorCode.STORE_UNAVAILABLE, "away")
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", json=HELLO)
    assert (response.status_code, response.json()["clientMessageId"]) == (202, "c1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"content": ""}, ErrorCode.CONTENT_EMPTY),
        ({"content": " \n\t"}, ErrorCode.CONTENT_EMPTY),
        ({"content": "x" * (CONTENT_MAX_CHARS + 1)}, ErrorCode.CONTENT_TOO_LONG),
        ({"content": "a\u0000b"}, ErrorCode.BAD_REQUEST),
        ({"content": None}, ErrorCode.BAD_REQUEST),
        ({"content": 5}, ErrorCode.BAD_REQUEST),
        ({"threadId": "a.b"}, ErrorCode.BAD_REQUEST),
        ({"threadId": ">"}, ErrorCode.BAD_REQUEST),
        ({"clientMessageId": ""}, ErrorCode.BAD_REQUEST),
        ({"clientMessageId": "x" * 129}, ErrorCode.BAD_REQUEST),
        ({"replyToId": "t1"}, ErrorCode.BAD_REQUEST),
        ({"mentions": ["a b"]}, ErrorCode.BAD_REQUEST),
        ({"messageType": "shout"}, ErrorCode.BAD_REQUEST),
        ({"metadata": [1]}, ErrorCode.BAD_REQUEST),
        ({"metadata": {"k": "x" * 9_000}}, ErrorCode.BAD_REQUEST),
        ({"attachmentIds": ["a1"]}, ErrorCode.BAD_REQUEST),
        ({"messageType": "system"}, ErrorCode.FORBIDDEN),
        ({"senderId": "bob"}, ErrorCode.IDENTITY_MISMATCH),
        ({"senderType": "admin"}, ErrorCode.IDENTITY_MISMATCH),
        ({"senderId": "alice", "senderType": "admin"}, ErrorCode.IDENTITY_MISMATCH),
    ],
)
async def test_what_may_not_be_sent_is_refused_and_reaches_no_queue(
    rest: Rest, change: dict[str, Any], code: ErrorCode
) -> None:
    async with rest.client() as client:
        problem(await client.post("/api/chat/messages", json=HELLO | change), code)
    assert rest.queue.commands == []


async def test_the_sender_may_be_named_when_it_is_the_caller(rest: Rest) -> None:
    async with rest.client() as client:
        body = HELLO | {"senderId": "alice", "senderType": "user"}
        assert (await client.post("/api/chat/messages", json=body)).status_code == 201


async def test_system_messages_need_their_scope(rest: Rest) -> None:
    async with rest.client("bot-token") as client:
        assert (await client.post("/api/chat/messages", json=HELLO | {"messageType": "system"})).status_code == 201


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.THREAD_NOT_FOUND,
        ErrorCode.NOT_A_MEMBER,
        ErrorCode.FORBIDDEN,
        ErrorCode.REPLY_TARGET_NOT_FOUND,
        ErrorCode.MESSAGE_PERSIST_FAILED,
        ErrorCode.QUEUE_FULL,
    ],
)
async def test_a_refusal_of_the_ledger_is_passed_on(rest: Rest, code: ErrorCode) -> None:
    rest.queue.outcomes["message.send"] = refused(code, "the reason")
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", json=HELLO)
    assert problem(response, code)["detail"] == "the reason"
    assert rest.store.asked == []


@pytest.mark.parametrize("code", [ErrorCode.QUEUE_UNAVAILABLE, ErrorCode.TIMEOUT, ErrorCode.TOO_MANY_IN_FLIGHT])
async def test_a_refusal_of_the_queue_is_passed_on_with_when_to_come_back(rest: Rest, code: ErrorCode) -> None:
    rest.queue.outcomes["message.send"] = Refusal(code, "busy", retry_after_ms=1_500)
    async with rest.client() as client:
        response = await client.post("/api/chat/messages", json=HELLO)
    assert problem(response, code)["retryAfterMs"] == 1_500
    assert response.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("query", "before", "after", "limit"),
    [
        ("", None, None, 50),
        ("?beforeSeq=9&limit=200", 9, None, 200),
        ("?afterSeq=9", None, 9, 50),
        ("?cursor=4", 4, None, 50),
        ("?beforeSeq=9&cursor=4", 4, None, 50),
        ("?afterSeq=9&cursor=14", None, 14, 50),
    ],
)
async def test_history_is_asked_by_position(
    rest: Rest, query: str, before: int | None, after: int | None, limit: int
) -> None:
    async with rest.client() as client:
        assert (await client.get(f"/api/chat/threads/t1/messages{query}")).status_code == 200
    expected = AskHistory(thread_id="t1", user_id="alice", before_seq=before, after_seq=after, limit=limit)
    assert rest.store.asked == [("history", expected)]


@pytest.mark.parametrize(
    "query",
    ["beforeSeq=1&afterSeq=2", "limit=201", "limit=0", "limit=x", "beforeSeq=-1", "afterSeq=1e3", "cursor=x",
     f"beforeSeq={2**53}", "beforeSeq=" + "9" * 5000],
)  # fmt: skip
async def test_a_page_that_cannot_be_is_refused(rest: Rest, query: str) -> None:
    async with rest.client() as client:
        problem(await client.get(f"/api/chat/threads/t1/messages?{query}"), ErrorCode.BAD_REQUEST)
    assert rest.store.asked == []


async def test_in_development_mode_the_thread_is_opened_before_the_message() -> None:
    rest = Rest(gateway_dev_mode=True)
    rest.queue.outcomes["thread.create"] = refused(ErrorCode.FORBIDDEN)
    async with rest.client(None, **{"X-User-Id": "eve", "X-User-Type": "guest"}) as client:
        assert (await client.post("/api/chat/messages", json=HELLO)).status_code == 201
    assert [command.kind for command in rest.queue.commands] == ["thread.create", "message.send"]
    assert all((command.user_id, command.user_type) == ("eve", "guest") for command in rest.queue.commands)

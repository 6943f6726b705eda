"""Messages over REST: edit, delete, react, and what is told about one."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.commands import RemoveMessage, ReviseMessage, SetReaction
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import CONTENT_MAX_CHARS
from chatterbus_contracts.queries import AskMessage, AskMessageReceipts, AskReceipts, AskRevisions
from tests.unit.gateway.rest_fakes import Rest, problem, refused

MESSAGE = "/api/chat/messages/t1~7"
ASK = ("message", AskMessage(message_id="t1~7", user_id="alice"))
CHANGES = [
    ("PATCH", MESSAGE, {"content": "Hello again"}),
    ("DELETE", MESSAGE, None),
    ("PUT", f"{MESSAGE}/reactions/%F0%9F%91%8D", None),
    ("DELETE", f"{MESSAGE}/reactions/%F0%9F%91%8D", None),
]


@pytest.fixture
def rest() -> Rest:
    return Rest()


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_is_answered_with_the_message_as_it_is_then(
    rest: Rest, method: str, path: str, body: object
) -> None:
    rest.store.answers["message"] = {"id": "t1~7", "rev": 9}
    async with rest.client() as client:
        response = await client.request(method, path, json=body)
    assert (response.status_code, response.json()) == (200, {"id": "t1~7", "rev": 9})
    (command,) = rest.queue.commands
    assert (command.thread_id, command.user_id, command.user_type, command.gateway) == (
        "t1",
        "alice",
        "user",
        "gw-test",
    )
    assert rest.store.asked == [ASK]


async def test_an_edit_says_what_the_message_says_now(rest: Rest) -> None:
    async with rest.client() as client:
        await client.patch(MESSAGE, json={"content": "Hello again"})
    (command,) = rest.queue.commands
    assert isinstance(command, ReviseMessage)
    assert (command.message_id, command.content) == ("t1~7", "Hello again")


async def test_a_delete_names_the_message(rest: Rest) -> None:
    async with rest.client() as client:
        await client.delete(MESSAGE)
    (command,) = rest.queue.commands
    assert isinstance(command, RemoveMessage)
    assert command.message_id == "t1~7"


@pytest.mark.parametrize(("method", "on"), [("PUT", True), ("DELETE", False)])
@pytest.mark.parametrize(
    ("emoji", "stored"), [("👍", "👍"), ("❤", "❤️"), ("#️⃣", "#️⃣"), ("👩🏽‍🤝‍👨🏿", "👩🏽‍🤝‍👨🏿"), ("🇩🇪", "🇩🇪")]
)
async def test_an_emoji_comes_percent_encoded_and_is_queued_in_its_whole_form(
    rest: Rest, method: str, on: bool, emoji: str, stored: str
) -> None:
    async with rest.client() as client:
        response = await client.request(method, f"{MESSAGE}/reactions/{quote(emoji)}")
    assert response.status_code == 200
    (command,) = rest.queue.commands
    assert isinstance(command, SetReaction)
    assert (command.message_id, command.emoji, command.on) == ("t1~7", stored, on)


@pytest.mark.parametrize("text", ["ok", "👍👍", "1", ":-)", "%20", "%F0%9F", "<b>"])
async def test_what_is_not_one_emoji_is_refused_on_both_routes(rest: Rest, text: str) -> None:
    async with rest.client() as client:
        for method in ("PUT", "DELETE"):
            problem(await client.request(method, f"{MESSAGE}/reactions/{text}"), ErrorCode.BAD_EMOJI)
    assert rest.queue.commands == []


@pytest.mark.parametrize("text", ["x" * 33, "%00"])
async def test_what_is_no_text_for_an_emoji_is_a_bad_request(rest: Rest, text: str) -> None:
    async with rest.client() as client:
        problem(await client.put(f"{MESSAGE}/reactions/{text}"), ErrorCode.BAD_REQUEST)
    assert rest.queue.commands == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("x" * (CONTENT_MAX_CHARS + 1), ErrorCode.CONTENT_TOO_LONG),
        ("a\u0000b", ErrorCode.BAD_REQUEST),
        (None, ErrorCode.BAD_REQUEST),
    ],
)
async def test_an_edit_to_what_may_not_be_is_refused(rest: Rest, content: str | None, code: ErrorCode) -> None:
    async with rest.client() as client:
        problem(await client.patch(MESSAGE, json={"content": content}), code)
    assert rest.queue.commands == []


async def test_whether_an_edit_may_be_blank_is_left_to_the_ledger_which_knows_the_files(rest: Rest) -> None:
    rest.queue.outcomes["message.edit"] = refused(ErrorCode.CONTENT_EMPTY)
    async with rest.client() as client:
        problem(await client.patch(MESSAGE, json={"content": " "}), ErrorCode.CONTENT_EMPTY)
    assert len(rest.queue.commands) == 1


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("code", [ErrorCode.MESSAGE_NOT_FOUND, ErrorCode.MESSAGE_DELETED, ErrorCode.FORBIDDEN])
async def test_the_ledgers_refusal_is_passed_on(
    rest: Rest, method: str, path: str, body: object, code: ErrorCode
) -> None:
    for kind in ("message.edit", "message.delete", "reaction.set"):
        rest.queue.outcomes[kind] = refused(code)
    async with rest.client() as client:
        problem(await client.request(method, path, json=body), code)
    assert rest.store.asked == []


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_a_change_that_was_made_and_cannot_be_shown_is_not_called_rejected(
    rest: Rest, method: str, path: str, body: object
) -> None:
    rest.store.answers["message"] = Refusal(ErrorCode.STORE_UNAVAILABLE, "away", retry_after_ms=1000)
    async with rest.client() as client:
        problem(await client.request(method, path, json=body), ErrorCode.TIMEOUT)


@pytest.mark.parametrize(
    ("path", "query", "question"),
    [
        (MESSAGE, *ASK),
        (f"{MESSAGE}/revisions", "revisions", AskRevisions(message_id="t1~7", user_id="alice")),
        (f"{MESSAGE}/receipts", "message_receipts", AskMessageReceipts(message_id="t1~7", user_id="alice")),
        ("/api/chat/threads/t1/receipts", "receipts", AskReceipts(thread_id="t1", user_id="alice")),
        (
            "/api/chat/threads/t1/receipts?cursor=bob&limit=20",
            "receipts",
            AskReceipts(thread_id="t1", user_id="alice", after="bob", limit=20),
        ),
    ],
)
async def test_what_is_told_of_a_message_is_passed_on(rest: Rest, path: str, query: str, question: Wire) -> None:
    async with rest.client() as client:
        response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"query": query})
    assert rest.store.asked == [(query, question)]


@pytest.mark.parametrize("part", ["", "/revisions", "/receipts"])
async def test_others_messages_answer_like_unknown_ones(rest: Rest, part: str) -> None:
    for query in ("message", "revisions", "message_receipts"):
        rest.store.answers[query] = Refusal(ErrorCode.MESSAGE_NOT_FOUND, "no such message")
    async with rest.client() as client:
        others, unknown = [await client.get(f"/api/chat/messages/{name}~1{part}") for name in ("others", "unknown")]
    assert others.content == unknown.content
    problem(others, ErrorCode.MESSAGE_NOT_FOUND)


async def test_development_mode_creates_no_thread_for_a_change_of_what_must_be_there() -> None:
    rest = Rest(gateway_dev_mode=True)
    async with rest.client(None, **{"X-User-Id": "eve"}) as client:
        for method, path, body in CHANGES:
            await client.request(method, path, json=body)
    assert rest.opened == []

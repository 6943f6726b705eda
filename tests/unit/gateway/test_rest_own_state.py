"""What a thread is to the caller alone, over REST."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import ChangeOwnState, MarkUnread
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskThread
from tests.unit.gateway.rest_fakes import Rest, problem, refused

OWN = {
    "readSeq": 5,
    "unread": 2,
    "markedUnreadSeq": None,
    "archived": True,
    "muted": False,
    "showReceipts": True,
}
ROUTES = [
    ("POST", "archive", None, {"archived": True}),
    ("POST", "unarchive", None, {"archived": False}),
    ("POST", "mute", None, {"muted": True}),
    ("POST", "mute", {}, {"muted": True}),
    ("POST", "mute", {"muted": False}, {"muted": False}),
    ("PUT", "receipts", {"show": False}, {"show_receipts": False}),
    ("PUT", "receipts", {"show": True}, {"show_receipts": True}),
    ("POST", "mark-unread", {"seq": 6}, {"seq": 6}),
]


@pytest.fixture
def rest() -> Rest:
    rest = Rest()
    rest.store.answers["thread"] = {"id": "t1", "members": [], "own": OWN}
    return rest


@pytest.mark.parametrize(("method", "part", "body", "said"), ROUTES)
async def test_each_change_is_one_command_and_answered_with_the_own_state(
    rest: Rest, method: str, part: str, body: Any, said: dict[str, Any]
) -> None:
    async with rest.client() as client:
        response = await client.request(method, f"/api/chat/threads/t1/{part}", json=body)
    assert (response.status_code, response.json()) == (200, OWN)
    (command,) = rest.queue.commands
    assert isinstance(command, ChangeOwnState | MarkUnread)
    of_their_own = {"archived", "muted", "show_receipts", "seq"}
    fields = {name: value for name, value in dict(command).items() if name in of_their_own and value is not None}
    assert fields == said
    assert (command.thread_id, command.user_id, command.gateway) == ("t1", "alice", "gw-test")
    assert rest.store.asked == [("thread", AskThread(thread_id="t1", user_id="alice"))]


async def test_archiving_and_muting_need_no_body_at_all(rest: Rest) -> None:
    async with rest.client() as client:
        for part in ("archive", "unarchive", "mute"):
            assert (await client.post(f"/api/chat/threads/t1/{part}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "part", "body"),
    [
        ("POST", "mute", {"muted": "yes"}),
        ("POST", "mute", {"muted": None}),
        ("PUT", "receipts", {}),
        ("PUT", "receipts", None),
        ("PUT", "receipts", {"show": 1}),
        ("POST", "mark-unread", None),
        ("POST", "mark-unread", {}),
        ("POST", "mark-unread", {"seq": 0}),
        ("POST", "mark-unread", {"seq": 2**53}),
    ],
)
async def test_a_body_that_is_wrong_changes_nothing(rest: Rest, method: str, part: str, body: Any) -> None:
    async with rest.client() as client:
        problem(await client.request(method, f"/api/chat/threads/t1/{part}", json=body), ErrorCode.BAD_REQUEST)
    assert rest.queue.commands == []


@pytest.mark.parametrize(("method", "part", "body", "said"), ROUTES)
async def test_the_ledgers_refusal_is_passed_on(rest: Rest, method: str, part: str, body: Any, said: Any) -> None:
    for kind in ("own.change", "own.mark_unread"):
        rest.queue.outcomes[kind] = refused(ErrorCode.THREAD_NOT_FOUND)
    async with rest.client() as client:
        problem(await client.request(method, f"/api/chat/threads/t1/{part}", json=body), ErrorCode.THREAD_NOT_FOUND)
    assert rest.store.asked == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Refusal(ErrorCode.STORE_UNAVAILABLE, "away"), ErrorCode.TIMEOUT),
        ({"id": "t1"}, ErrorCode.INTERNAL),
        ([[]], ErrorCode.INTERNAL),
    ],
)
async def test_a_change_that_was_made_and_cannot_be_shown_is_not_called_rejected(
    rest: Rest, answer: Any, code: ErrorCode
) -> None:
    rest.store.answers["thread"] = answer
    async with rest.client() as client:
        assert problem(await client.post("/api/chat/threads/t1/archive"), code)["fate"] == "unknown"

"""The store's answer to a subscribe, as frames."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatterbus_contracts.codec import DecodeError
from chatterbus_gateway.sync_reply import SyncReply


def page(*changes: dict[str, Any]) -> bytes:
    position = {"threadId": "t1", "rev": 9, "throughRev": 9, "lastSeq": 3, "members": [], "result": "complete"}
    return json.dumps({**position, "reason": None, "changes": changes}).encode()


def membership(kind: str, user: str, rev: int) -> dict[str, Any]:
    return {"type": kind, "threadId": "t1", "rev": rev, "data": {"userId": user}}


def replied(*pages: bytes) -> SyncReply:
    reply = SyncReply()
    for each in pages:
        reply.add(each)
    return reply


def test_a_replay_that_removes_its_own_reader_says_so() -> None:
    reply = replied(page(membership("member_removed", "bob", 4)))
    assert reply.removes("bob")
    assert not reply.removes("anna")


def test_who_was_removed_and_came_back_is_a_member() -> None:
    removed, added = membership("member_removed", "bob", 4), membership("member_added", "bob", 6)
    assert not replied(page(removed, added)).removes("bob")
    assert not replied(page(removed), page(added)).removes("bob")
    assert replied(page(added), page(removed)).removes("bob")


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"nonsense", page({"type": "member_removed"}), page({})])
def test_an_answer_that_is_no_sync_is_a_decode_error(answer: bytes) -> None:
    with pytest.raises(DecodeError):
        replied(answer)


def test_a_large_threads_answer_says_where_its_other_members_are_and_a_small_ones_does_not() -> None:
    small = json.loads(page())
    large = {**small, "memberCount": 5_000, "membersCursor": "user-500"}
    assert b'"memberCount":5000,"membersCursor":"user-500"' in replied(json.dumps(large).encode()).frames(None)
    assert b"memberCount" not in replied(page()).frames(None)
    assert b"membersCursor" not in replied(json.dumps(large).encode(), page()).frames(None)

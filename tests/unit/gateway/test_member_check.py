"""Reading a thread's members anew, when an event of them may be lost."""

from __future__ import annotations

import asyncio
import json

import pytest

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.presence import member_check
from chatterbus_gateway.presence.member_check import ASKED_AT_A_TIME, MemberCheck
from chatterbus_gateway.presence.watches import Watcher
from tests.kit.waiting import until
from tests.unit.gateway.presence_fakes import Connected

WAIT_S = 5.0
T1 = ThreadId("t1")


class Stand:
    """A store that refuses those in `refused`, and what was read from it."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.asking = self.asking_max = 0
        self.followers: list[Watcher] = [Connected("anna"), Connected("anna"), Connected("bob")]
        self.read: list[tuple[str, int, list[UserId]]] = []
        self.too_old = 0  # how many of the next readings are
        self.check = MemberCheck(self, lambda _: self.followers, self._on_read)

    def _on_read(self, thread_id: ThreadId, rev: int, users: list[UserId]) -> bool:
        self.read.append((thread_id, rev, users))
        self.too_old -= 1
        return self.too_old < 0

    async def ask(self, query_name: str, question: Wire) -> bytes:
        asked = question.model_dump()
        self.asked.append((asked["threadId"], asked["userId"]))
        self.asking += 1
        self.asking_max = max(self.asking_max, self.asking)
        await asyncio.sleep(0)
        self.asking -= 1
        if asked["userId"] in self.refused:
            raise Refusal(ErrorCode.NOT_A_MEMBER, "no")
        position = {"threadId": asked["threadId"], "rev": 9, "throughRev": 9, "lastSeq": 3, "result": "complete"}
        return json.dumps({**position, "members": [{"userId": "bob"}], "changes": []}).encode()


@pytest.fixture
async def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.setattr(member_check, "BACKOFF_S", (0.005, 0.01))
    return Stand()


async def test_the_members_are_read_once_after_a_doubt(stand: Stand) -> None:
    stand.check.doubt(T1)
    stand.check.doubt(T1)
    await until(lambda: not len(stand.check) and bool(stand.read), WAIT_S, "it is read")
    assert stand.read == [("t1", 9, ["bob"])]
    assert stand.asked == [("t1", "anna")]
    await stand.check.close()


async def test_who_is_refused_is_followed_by_another_who_asks(stand: Stand) -> None:
    stand.refused = {"anna"}
    stand.check.doubt(T1)
    await until(lambda: bool(stand.read), WAIT_S, "it is read")
    assert stand.asked == [("t1", "anna"), ("t1", "bob")]
    await stand.check.close()


async def test_a_reading_that_is_too_old_is_repeated_and_one_that_nobody_needs_is_not(stand: Stand) -> None:
    stand.too_old = 2
    stand.check.doubt(T1)
    await until(lambda: len(stand.read) == 3, WAIT_S, "it is read until it is new enough")
    stand.followers = []
    stand.check.doubt(T1)
    await until(lambda: not len(stand.check), WAIT_S, "nobody follows")
    assert len(stand.read) == 3
    await stand.check.close()


async def test_many_doubts_are_worked_off_few_at_a_time(stand: Stand) -> None:
    for number in range(50):
        stand.check.doubt(ThreadId(f"t{number}"))
    await until(lambda: len(stand.read) == 50, WAIT_S, "all are read")
    assert stand.asking_max == ASKED_AT_A_TIME
    await stand.check.close()

"""Questions to the notifier's shards, and what their answers amount to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import Chosen, OnlineAnswer, PresenceAnswer, VersionedPresence
from chatterbus_contracts.queries import AskInfo
from chatterbus_contracts.states import PresenceState
from chatterbus_contracts.subjects import choose_presence_subject, slot_of
from chatterbus_gateway.notifier import Notifier
from chatterbus_runtime.link_errors import LinkDown, NoResponders
from chatterbus_runtime.nats_message import Message

LONG_S = 30.0  # a test that waits for it fails by its own time limit


class Link:
    """Gives `answers` to what is published with a reply, and `reply` to requests."""

    def __init__(self, *answers: Wire | bytes) -> None:
        self.answers = answers
        self.reply: Exception | Message = Message("", "", b"{}")
        self.down = False
        self.listening: Callable[[Message], None] | None = None
        self.requested: list[str] = []

    def inbox(self) -> str:
        return "inbox"

    def listen(self, subject: str, callback: Callable[[Message], None], queue: str = "") -> Link:
        self.listening = callback
        return self

    def close(self) -> None:
        self.listening = None

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        if self.down:
            raise LinkDown("down")
        for answer in self.answers:
            data = answer if isinstance(answer, bytes) else encode(answer)
            asyncio.get_running_loop().call_soon(self._deliver, Message(reply, "", data))

    def _deliver(self, message: Message) -> None:
        if self.listening is not None:
            self.listening(message)

    async def request(
        self, subject: str, payload: bytes, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        self.requested.append(subject)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def asking(link: Link, timeout_s: float = LONG_S) -> Notifier:
    fake: Any = link
    return Notifier(fake, gather_timeout_s=timeout_s)


def state(user_id: str, version: int = 1) -> VersionedPresence:
    return VersionedPresence(user_id=UserId(user_id), status="online", last_seen_at=None, version=version)


def presence(shard: int, shards: int, *users: VersionedPresence) -> PresenceAnswer:
    return PresenceAnswer(shard=shard, shards=shards, items=list(users))


def online(shard: int, shards: int, users: str, *, more: bool = False) -> OnlineAnswer:
    items = [PresenceState(user_id=UserId(user), status="online", last_seen_at=None) for user in users]
    return OnlineAnswer(shard=shard, shards=shards, items=items, more=more)


async def test_presence_is_there_as_soon_as_all_users_are() -> None:
    link = Link(presence(0, 2, state("a")), presence(1, 2, state("b")))
    found = await asking(link).presence_of([UserId("a"), UserId("b")])
    assert set(found) == {"a", "b"}
    assert link.listening is None


async def test_whom_no_shard_knows_is_missing_once_all_have_answered() -> None:
    link = Link(presence(0, 2), presence(1, 2, state("b"), state("unasked")))
    assert set(await asking(link).presence_of([UserId("a"), UserId("b")])) == {"b"}


async def test_of_two_answers_for_a_user_the_later_counts() -> None:
    link = Link(presence(0, 2, state("a", 9)), presence(0, 1, state("a", 5)))
    assert (await asking(link).presence_of([UserId("a"), UserId("b")]))["a"].version == 9


async def test_a_shard_that_is_away_costs_the_deadline_and_no_more() -> None:
    link = Link(presence(0, 2, state("a")), b"nonsense")
    assert set(await asking(link, 0.05).presence_of([UserId("a"), UserId("b")])) == {"a"}
    link.down = True
    assert await asking(link).presence_of([UserId("a")]) == {}
    assert await asking(link).presence_of([]) == {}


async def test_who_is_online_is_merged_over_shards_and_cut() -> None:
    link = Link(online(0, 2, "ad"), online(1, 2, "bc"))
    page = await asking(link).online(None, 3)
    assert ([item.user_id for item in page.items], page.next_cursor) == (["a", "b", "c"], "c")
    page = await asking(link).online(None, 4)
    assert ([item.user_id for item in page.items], page.next_cursor) == (["a", "b", "c", "d"], None)


async def test_behind_an_answer_that_was_cut_nobody_is_skipped() -> None:
    link = Link(online(0, 2, "ab", more=True), online(1, 2, "cd"))
    page = await asking(link).online(None, 4)
    assert ([item.user_id for item in page.items], page.next_cursor) == (["a", "b"], "b")


async def test_a_list_without_a_shards_part_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        await asking(Link(online(0, 2, "a")), 0.05).online(None, 3)
    assert refused.value.code is ErrorCode.PRESENCE_UNAVAILABLE


async def test_a_choice_goes_to_the_slot_of_its_user_and_fails_with_one_code() -> None:
    link = Link()
    link.reply = Message("", "", encode(Chosen(status="dnd")))
    await asking(link).choose(UserId("anna"), "dnd")
    assert link.requested == [choose_presence_subject(slot_of("anna"))]
    for failure in (TimeoutError(), NoResponders("nobody"), LinkDown("down")):
        link.reply = failure
        with pytest.raises(Refusal) as refused:
            await asking(link).choose(UserId("anna"), "dnd")
        assert refused.value.code is ErrorCode.PRESENCE_UNAVAILABLE


async def test_a_change_whose_answer_is_late_may_have_been_made() -> None:
    link = Link()
    for failure, changes, code in (
        (TimeoutError(), True, ErrorCode.TIMEOUT),
        (TimeoutError(), False, ErrorCode.WEBHOOKS_UNAVAILABLE),
        (NoResponders("nobody"), True, ErrorCode.WEBHOOKS_UNAVAILABLE),
        (LinkDown("down"), False, ErrorCode.WEBHOOKS_UNAVAILABLE),
    ):
        link.reply = failure
        with pytest.raises(Refusal) as refused:
            await asking(link).ask_hooks("replay", AskInfo(), changes=changes)
        assert refused.value.code is code

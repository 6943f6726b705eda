"""One check of a thread that fails on its way: repeated, never told twice under two ids, never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import ThreadId, UserId, message_id
from chatterbus_contracts.queries import Missed, MissedMember
from chatterbus_contracts.states import MessagePreview, MessageType
from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.missed.check import NotLeading, Result, ThreadCheck
from chatterbus_notifier.missed.notes import Notes
from chatterbus_runtime.bucket import BucketUnavailable, Entry

THREAD, BOB = ThreadId("t"), UserId("bob")
AFTER_S, INTERVAL_S = 30.0, 300.0


class Bucket:
    """A bucket in memory. Writes fail from number `broken_at` on; `before_create` is another check that is faster."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.writes = 0
        self.broken_at: int | None = None
        self.before_create: ThreadCheck | None = None

    async def get(self, key: str) -> Entry | None:
        return self.entries.get(key)

    async def create(self, key: str, value: bytes) -> int | None:
        faster, self.before_create = self.before_create, None
        if faster is not None:
            await faster.run(THREAD)
        return self._write(key, value) if key not in self.entries else None

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        found = self.entries.get(key)
        return self._write(key, value) if found is not None and found.revision == revision else None

    def _write(self, key: str, value: bytes) -> int:
        if self.broken_at is not None and self.writes + 1 >= self.broken_at:
            raise BucketUnavailable("missed")
        self.writes += 1
        self.entries[key] = Entry(key, value, self.writes)
        return self.writes


class Stand:
    """A check, and all around it."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        self.published: list[HookEvent] = []
        self.last_seq = 7
        self.items = [member(BOB)]
        self.next_due_s: float | None = None
        self.now_ms = 1_000_000_000
        self.leads = True
        self.attending: frozenset[UserId] = frozenset()
        self.before_publish: Callable[[], None] = lambda: None

    def check(self) -> ThreadCheck:
        return ThreadCheck(
            self,
            Notes(self.bucket),
            self,
            self._publish,
            lambda: self.leads,
            lambda: self.now_ms,
            str,
            after_s=AFTER_S,
            interval_s=INTERVAL_S,
        )

    async def ask(self, query_name: str, question: Wire) -> Missed:
        assert query_name == "missed"
        return Missed(
            title=None,
            last_seq=self.last_seq,
            last_message=preview(self.last_seq),
            items=self.items,
            next_due_s=self.next_due_s,
            next_cursor=None,
        )

    async def of(self, thread_id: ThreadId, user_ids: list[UserId]) -> frozenset[UserId]:
        return self.attending & frozenset(user_ids)

    async def _publish(self, event: HookEvent) -> None:
        self.before_publish()
        self.published.append(event)

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.published]


def member(user_id: UserId) -> MissedMember:
    return MissedMember(user_id=user_id, user_type="c", unread=2, mentions=0, first_unread_seq=6, unread_for_s=31)


def preview(seq: int) -> MessagePreview:
    return MessagePreview(
        id=message_id(THREAD, seq),
        seq=seq,
        sender_id=UserId("alice"),
        sender_type="c",
        message_type=MessageType.TEXT,
        content="",
        attachments=0,
        deleted=False,
        created_at="then",
    )


@pytest.fixture
def stand() -> Stand:
    return Stand()


async def test_a_crash_between_publishing_and_noting_repeats_the_same_id(stand: Stand) -> None:
    stand.bucket.broken_at = 2
    with pytest.raises(BucketUnavailable):
        await stand.check().run(THREAD)
    stand.bucket.broken_at = None
    stand.last_seq = 8
    stand.now_ms += 5_000
    result = await stand.check().run(THREAD)
    assert stand.ids == ["missed-t~7-bob", "missed-t~7-bob"]
    assert result == Result(INTERVAL_S, held=True)  # message 8 is for the interval's end


async def test_a_crash_before_publishing_does_not_lose_the_event(stand: Stand) -> None:
    def crash() -> None:
        raise BucketUnavailable("any")

    stand.before_publish = crash
    with pytest.raises(BucketUnavailable):
        await stand.check().run(THREAD)
    stand.before_publish = lambda: None
    assert await stand.check().run(THREAD) == Result()
    assert stand.ids == ["missed-t~7-bob"]


async def test_nothing_is_published_where_it_cannot_be_noted(stand: Stand) -> None:
    stand.bucket.broken_at = 1
    with pytest.raises(BucketUnavailable):
        await stand.check().run(THREAD)
    assert stand.published == []


async def test_of_two_that_claim_the_same_one_tells_and_the_other_looks_later_whether_it_was_told(stand: Stand) -> None:
    faster, slower = stand.check(), stand.check()
    stand.bucket.before_create = faster
    assert await slower.run(THREAD) == Result(AFTER_S, held=True)
    assert stand.ids == ["missed-t~7-bob"]
    assert await slower.run(THREAD) == Result()
    assert stand.ids == ["missed-t~7-bob"]


async def test_who_does_not_lead_any_more_publishes_nothing(stand: Stand) -> None:
    stand.leads = False
    with pytest.raises(NotLeading):
        await stand.check().run(THREAD)
    assert stand.published == []


async def test_a_failure_for_one_member_is_the_checks_failure_and_the_repetition_tells_the_rest(stand: Stand) -> None:
    users = [UserId(f"user-{number}") for number in range(5)]
    stand.items = [member(user) for user in users]
    stand.bucket.broken_at = 4
    with pytest.raises(BucketUnavailable):
        await stand.check().run(THREAD)
    stand.bucket.broken_at = None
    assert await stand.check().run(THREAD) == Result()
    assert {event.key for event in stand.published} == set(users)
    assert set(stand.ids) == {f"missed-t~7-{user}" for user in users}


async def test_others_who_are_not_due_yet_are_looked_at_when_they_are(stand: Stand) -> None:
    stand.next_due_s = 12.0
    result = await stand.check().run(THREAD)
    assert result.again_s is not None
    assert 12.0 < result.again_s < 12.2
    assert not result.held


async def test_a_note_that_cannot_be_read_is_written_anew(stand: Stand) -> None:
    stand.bucket.entries["bob.t"] = Entry("bob.t", b"garbage", 3)
    assert await stand.check().run(THREAD) == Result()
    assert stand.ids == ["missed-t~7-bob"]
    assert (await stand.bucket.get("bob.t") or Entry("", b"", 0)).value.endswith(b" 1")

"""Shards cover all users once; versions only grow."""

from __future__ import annotations

import pytest

from chatterbus_contracts.subjects import USER_SLOTS, slot_of
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.versions import VersionClock


@pytest.mark.parametrize("count", [1, 2, 3, 7, USER_SLOTS])
def test_each_slot_belongs_to_exactly_one_shard(count: int) -> None:
    slots = [slot for index in range(count) for slot in Shard(index, count).slots]
    assert sorted(slots) == list(range(USER_SLOTS))


def test_a_shard_owns_the_users_of_its_slots() -> None:
    shard = Shard(1, 3)
    for number in range(200):
        assert shard.owns(f"user-{number}") == (slot_of(f"user-{number}") in shard.slots)


@pytest.mark.parametrize("text", ["", "1", "1/1", "2/1", "0/0", "0/65", "-1/2", "a/b", "0/1/2", " 0/1", "0/1\n", "٠/1"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="shard"):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_written() -> None:
    assert Shard.parse(str(Shard(3, 8))) == Shard(3, 8)


def test_versions_grow_also_when_the_clock_stands_or_goes_back() -> None:
    times = iter([1_000, 1_000, 400, 2_000])
    clock = VersionClock(lambda: next(times))
    assert [clock.next() for _ in range(4)] == [1_000, 1_001, 1_002, 2_000]


def test_versions_begin_above_those_of_another() -> None:
    clock = VersionClock(lambda: 1_000)
    clock.raise_to(5_000)
    assert clock.next() == 5_001

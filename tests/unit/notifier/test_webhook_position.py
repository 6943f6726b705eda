"""How far deliveries are: what a restart, or another number of shards, makes of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_contracts.subjects import USER_SLOTS, slot_of
from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.backlog import Waiting
from chatterbus_notifier.webhooks.position import (
    Kept,
    Pending,
    Position,
    decode_position,
    encode_position,
    key_of,
    shard_of,
    start_of,
)

STREAM = "2026-01-01T00:00:00+00:00"
ALL = Shard(0, 1)


def kept(shard: Shard, revision: int, high: int, pending: dict[int, int], stream: str = STREAM) -> Kept:
    return Kept(
        shard, revision, Position(stream=stream, high=high, pending={n: Pending(s, 1, 5) for n, s in pending.items()})
    )


def test_an_entry_says_what_was_read_and_not_delivered() -> None:
    waiting = [
        Waiting(7, HookEvent("evt_7", "message.missed", "anna", b"{}"), attempts=3, first_attempt_s=10.0),
        Waiting(9, HookEvent("evt_9", "message.missed", "anna", b"{}")),
        Waiting(None, HookEvent("evt_0", "message.missed", "ben", b"{}")),
        Waiting(12, HookEvent("evt_12", "message.missed", "ben", b"{}")),
    ]
    position = decode_position(encode_position(STREAM, 11, waiting, to_unix_s=1_000.0))
    slot = slot_of("anna")
    assert position == Position(
        stream=STREAM, high=11, pending={7: Pending(slot, 3, 1_010_000), 9: Pending(slot, 0, None)}
    )


def test_a_shard_goes_on_behind_its_own_entry() -> None:
    start = start_of([kept(ALL, 1, 50, {40: 3, 20: 5})], ALL, STREAM)
    assert start.from_seq == 51
    assert list(start.pending) == [20, 40]
    assert start.is_behind(50, 3)
    assert not start.is_behind(51, 3)


def test_nothing_known_means_from_the_beginning() -> None:
    for entries in ([], [kept(ALL, 9, 50, {40: 3}, stream="another")]):
        start = start_of(entries, ALL, STREAM)
        assert (start.from_seq, start.pending) == (1, {})


def test_what_cannot_be_read_is_none() -> None:
    assert decode_position(b"") is None
    assert decode_position(b'{"stream":"x","high":1,"pending":{"a":[1,2,3]}}') is None


def test_a_shard_s_key_names_it() -> None:
    assert shard_of(key_of(Shard(3, 8))) == Shard(3, 8)


@given(st.data())
def test_whatever_the_number_of_shards_was_before_no_undelivered_event_is_passed_over(data: st.DataObject) -> None:
    """Shards of changing number deliver a stream in turns; then another number of them goes on."""
    length = 40
    slot_at = {seq: data.draw(st.integers(0, USER_SLOTS - 1)) for seq in range(1, length + 1)}
    delivered: set[int] = set()
    entries: dict[str, Kept] = {}
    for revision in range(1, data.draw(st.integers(0, 6)) + 1):
        count = data.draw(st.sampled_from([1, 2, 3]))
        shard = Shard(data.draw(st.integers(0, count - 1)), count)
        start = start_of(entries.values(), shard, STREAM)
        high = data.draw(st.integers(start.from_seq - 1, length))
        mine = [seq for seq in range(1, high + 1) if slot_at[seq] in shard.slots]
        known = [seq for seq in mine if seq in start.pending or not start.is_behind(seq, slot_at[seq])]
        done = data.draw(st.sets(st.sampled_from(known))) if known else set()
        delivered |= done
        left = {seq: slot_at[seq] for seq in known if seq not in done}
        entries[key_of(shard)] = kept(shard, revision, high, left)
    count = data.draw(st.sampled_from([1, 2, 4]))
    for shard in (Shard(index, count) for index in range(count)):
        start = start_of(entries.values(), shard, STREAM)
        for seq, slot in slot_at.items():
            if slot in shard.slots and seq not in delivered:
                assert seq in start.pending or (seq >= start.from_seq and not start.is_behind(seq, slot))

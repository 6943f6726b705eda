"""Whether a user is told now, later or not at all; ids; positions; what is read of an envelope."""

from __future__ import annotations

import pytest

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_notifier.kept_position import Place, resumed
from chatterbus_notifier.missed.hook_events import ID_MAX_CHARS, created_event, missed_id
from chatterbus_notifier.missed.message_lines import has_message, message_frames, stored_at_s
from chatterbus_notifier.missed.notes import Note
from chatterbus_notifier.missed.recent_ids import RecentIds
from chatterbus_notifier.missed.verdict import verdict
from chatterbus_notifier.shard import Shard

USER, THREAD = UserId("bob"), ThreadId("order-1")
INTERVAL_MS = 300_000
NOW_MS = 1_000_000_000


def note(last_seq: int, ago_ms: int = 0, *, told: bool = True, revision: int = 9) -> Note:
    return Note(USER, THREAD, last_seq, NOW_MS - ago_ms, told, revision)


FRESH = note(7, told=False, revision=0)


def test_who_was_never_told_is_told() -> None:
    assert verdict(FRESH, None, INTERVAL_MS) == FRESH


@pytest.mark.parametrize("ago_ms", [0, INTERVAL_MS, 100 * INTERVAL_MS])
def test_nothing_new_is_never_told_again(ago_ms: int) -> None:
    assert verdict(FRESH, note(7, ago_ms), INTERVAL_MS) is None


def test_what_is_new_waits_for_the_interval() -> None:
    assert verdict(FRESH, note(6, 100_000), INTERVAL_MS) == 200.0


def test_what_is_new_is_told_after_the_interval_in_the_place_of_the_old_note() -> None:
    assert verdict(FRESH, note(6, INTERVAL_MS), INTERVAL_MS) == note(7, told=False, revision=9)


def test_an_event_that_was_begun_is_repeated_under_its_own_id() -> None:
    begun = note(6, 1_000, told=False)
    assert verdict(FRESH, begun, INTERVAL_MS) == begun


def test_an_event_that_was_begun_long_ago_gives_way_to_a_new_one() -> None:
    assert verdict(FRESH, note(6, INTERVAL_MS, told=False), INTERVAL_MS) == note(7, told=False, revision=9)
    assert verdict(FRESH, note(7, INTERVAL_MS, told=False), INTERVAL_MS) == note(7, told=False, revision=9)


def test_a_note_of_a_clock_that_was_ahead_delays_by_no_more_than_the_interval() -> None:
    assert verdict(FRESH, note(6, -10 * INTERVAL_MS), INTERVAL_MS) == INTERVAL_MS / 1000


def test_ids_of_different_facts_differ_even_when_ids_hold_the_separator() -> None:
    assert missed_id(ThreadId("a-b"), UserId("c"), 1) != missed_id(ThreadId("a"), UserId("b-c"), 1)
    assert missed_id(ThreadId("a"), UserId("1-c"), 1) != missed_id(ThreadId("a"), UserId("c"), 11)
    assert missed_id(THREAD, USER, 7) == "missed-order-1~7-bob"


def test_an_id_is_short_and_still_of_its_fact() -> None:
    long_thread, long_user = ThreadId("t" * 128), UserId("u" * 128)
    found = missed_id(long_thread, long_user, 7)
    assert len(found) <= ID_MAX_CHARS
    assert found == missed_id(long_thread, long_user, 7) != missed_id(long_thread, long_user, 8)


def test_a_created_event_has_the_data_of_the_frame_as_it_is() -> None:
    frame = b'{"type":"message","threadId":"t","rev":3,"data":{"id":"t~2","threadId":"t","createdAt":"then","new":[1]}}'
    event = created_event(frame)
    assert (event.id, event.type, event.key) == ("created-t~2", "message.created", "t")
    assert event.body == (
        b'{"type":"message.created","timestamp":"then",'
        b'"data":{"message":{"id":"t~2","threadId":"t","createdAt":"then","new":[1]}}}'
    )


@pytest.mark.parametrize("frame", [b"{", b"[]", b'{"data":{}}', b'{"data":[]}'])
def test_what_is_no_message_frame_is_a_decode_error(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        created_event(frame)


def test_only_message_lines_are_found() -> None:
    envelope = b'read_receipt 1 {}\nmessage 2 {"a b":1}\nmessage_updated 3 {}\nmessage 4 {}'
    assert has_message(envelope)
    assert message_frames(envelope) == [b'{"a b":1}', b"{}"]
    assert not has_message(b'message_updated 3 {"text":"message message "}\nread_receipt 4 {}')


def test_the_time_of_a_delivery_is_read_in_both_forms() -> None:
    assert stored_at_s("$JS.ACK.EVENTS.c.1.20.3.1700000000500000000.0") == 1_700_000_000.5
    assert stored_at_s("$JS.ACK.hub.acc.EVENTS.c.1.20.3.1700000000500000000.0.rnd") == 1_700_000_000.5


def test_recent_ids_forget_the_oldest() -> None:
    recent = RecentIds(2)
    for name in ("a", "b", "a", "c"):
        recent.add(name)
    assert "a" in recent
    assert "c" in recent
    assert "b" not in recent
    assert len(recent) == 2


def place(index: int, count: int, revision: int, next_seq: int, created: str = "x") -> Place:
    return Place(index, count, revision, next_seq, created)


def test_a_shard_reads_on_where_it_was() -> None:
    assert resumed([place(0, 2, 10, 50), place(1, 2, 11, 40)], Shard(0, 2), "x") == 50


def test_with_nothing_kept_there_is_no_place() -> None:
    assert resumed([], Shard(0, 1), "x") is None


def test_after_shards_were_joined_the_slowest_of_them_counts() -> None:
    places = [place(0, 1, 5, 10), place(0, 2, 10, 50), place(1, 2, 11, 40)]
    assert resumed(places, Shard(0, 1), "x") == 40


def test_after_a_shard_was_split_the_second_half_begins_where_the_whole_was() -> None:
    places = [place(0, 1, 5, 10), place(0, 2, 10, 50)]
    assert resumed(places, Shard(1, 2), "x") == 10
    assert resumed(places, Shard(0, 2), "x") == 50


def test_a_stream_made_anew_is_read_from_its_beginning() -> None:
    assert resumed([place(0, 1, 5, 10)], Shard(0, 1), "y") == 1

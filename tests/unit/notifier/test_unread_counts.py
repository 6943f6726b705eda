"""Loads and events in, values and wants out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chatterbus_contracts.codec import parse_json
from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.ids import ThreadId, UserId, message_id
from chatterbus_contracts.limits import POSITIONS_USERS_MAX, UNREAD_MENTIONS_MAX
from chatterbus_contracts.own_states import OwnStateChanged
from chatterbus_contracts.queries import Position
from chatterbus_contracts.states import MessagePreview
from chatterbus_notifier.unread.counts import Counts
from chatterbus_notifier.unread.frames import preview_of
from chatterbus_notifier.unread.passed import PASSED_MAX
from chatterbus_notifier.unread.standing import unread_of

T = ThreadId("t")
ANN, BOB = UserId("ann"), UserId("bob")


def at(user: UserId, rev: int, last: int, read: int = 0, **fields: Any) -> Position:
    known: dict[str, Any] = {"marked_unread_seq": None, "muted": False, "mention_seqs": [], "last_message": None}
    thread = fields.pop("thread", T)
    return Position(user_id=user, thread_id=thread, rev=rev, last_seq=last, read_seq=read, **(known | fields))


def message(rev: int, seq: int, sender: str = "zoe", *mentions: str, kind: str = "message") -> Event:
    state = {
        "id": message_id(T, seq),
        "seq": seq,
        "senderId": sender,
        "senderType": "user",
        "messageType": "text",
        "content": f"rev {rev}",
        "attachments": [],
        "deleted": kind == "message_deleted",
        "createdAt": "2026-01-31T12:00:00.000Z",
        "mentions": list(mentions),
    }
    return Event(kind, rev, json.dumps({"type": kind, "data": state}).encode())


def read(rev: int, user: str, seq: int) -> Event:
    return Event("read_receipt", rev, json.dumps({"userId": user, "seq": seq}).encode())


def member(kind: str, rev: int, user: str) -> Event:
    return Event(kind, rev, json.dumps({"data": {"userId": user}}).encode())


def own(user: UserId, read_seq: int, marked: int | None = None, muted: bool = False) -> OwnStateChanged:
    return OwnStateChanged(thread_id=T, user_id=user, read_seq=read_seq, marked_unread_seq=marked, muted=muted)


def load(counts: Counts, *positions: Position) -> bool:
    """The next load, answered; whether there was one."""
    begun = counts.begin_load()
    if begun is None:
        return False
    counts.absorb(begun, positions)
    counts.finish_load(begun)
    return True


def loaded(*positions: Position) -> Counts:
    counts = Counts()
    for position in positions:
        counts.join(position.user_id)
    assert load(counts, *positions)
    counts.take_changed()
    return counts


def values(counts: Counts, user: UserId, thread: ThreadId = T) -> tuple[int, int, int]:
    """(unread, mentions, total)."""
    standing = counts.users[user].standings[thread]
    return unread_of(counts.threads[thread], standing), len(standing.mentions or ()), counts.users[user].total


def test_a_message_is_unread_for_all_but_its_sender_and_counts_where_it_mentions() -> None:
    counts = loaded(at(ANN, 5, 3, read=1), at(BOB, 5, 3, read=3))
    counts.hear(T, [message(6, 4, "bob", "ann")])
    assert values(counts, ANN) == (3, 1, 3)
    assert values(counts, BOB) == (0, 0, 0)
    assert set(counts.take_changed()) == {(ANN, T), (BOB, T)}
    assert not counts.wants


def test_a_receipt_moves_the_cursor_and_forgets_mentions_that_were_read() -> None:
    counts = loaded(at(ANN, 5, 4, read=1, mention_seqs=[4, 2]))
    counts.hear(T, [read(6, "ann", 3)])
    assert values(counts, ANN) == (1, 1, 1)


def test_edits_and_reactions_count_nothing_but_show_in_the_last_message() -> None:
    counts = loaded(at(ANN, 5, 4, read=1))
    counts.hear(T, [message(6, 4, kind="message_updated")])
    assert values(counts, ANN) == (3, 0, 3)
    assert b"rev 6" in (counts.threads[T].preview or b"")


def test_a_deleted_message_stays_unread_but_mentions_nobody() -> None:
    counts = loaded(at(ANN, 5, 4, read=1, mention_seqs=[4, 2]))
    counts.hear(T, [message(6, 4, kind="message_deleted")])
    assert values(counts, ANN) == (3, 1, 3)
    assert not counts.wants


def test_a_deleted_mention_at_the_limit_loads_again_since_an_older_one_may_count_now() -> None:
    last = UNREAD_MENTIONS_MAX + 5
    counts = loaded(at(ANN, 5, last, mention_seqs=list(range(last, last - UNREAD_MENTIONS_MAX, -1))))
    counts.hear(T, [message(6, last, kind="message_deleted")])
    assert counts.wants


def test_muted_threads_do_not_add_to_the_total() -> None:
    counts = loaded(at(ANN, 5, 4, muted=True), at(ANN, 1, 2, thread=ThreadId("u")))
    counts.hear(T, [message(6, 5)])
    assert values(counts, ANN) == (5, 0, 2)


def test_what_was_heard_before_is_passed_over() -> None:
    counts = loaded(at(ANN, 5, 3, read=3))
    counts.hear(T, [message(6, 4, "zoe", "ann"), message(6, 4, "zoe", "ann"), message(5, 3)])
    assert values(counts, ANN) == (1, 1, 1)
    assert not counts.wants


def test_a_jump_of_the_rev_loads_the_thread_again_for_those_who_are_connected() -> None:
    counts = loaded(at(ANN, 5, 3, read=3), at(BOB, 5, 3, read=3))
    counts.hear(T, [message(8, 5)])
    begun = counts.begin_load()
    assert begun is not None
    assert (begun.thread_id, begun.user_ids) == (T, (ANN, BOB))
    counts.absorb(begun, [at(ANN, 8, 5, read=4), at(BOB, 8, 5, read=3, mention_seqs=[4])])
    counts.finish_load(begun)
    assert (values(counts, ANN), values(counts, BOB)) == ((1, 0, 1), (2, 1, 2))
    counts.hear(T, [message(9, 6)])
    assert not counts.wants


def test_types_that_move_no_count_are_not_looked_into_but_their_rev_counts() -> None:
    counts = loaded(at(ANN, 5, 3))
    counts.hear(T, [Event("delivered_receipt", 6, b"not even JSON"), Event("thread_updated", 7, b"nor this")])
    counts.hear(T, [message(8, 4)])
    assert not counts.wants
    assert values(counts, ANN) == (4, 0, 4)


def test_a_frame_that_cannot_be_read_is_as_good_as_lost() -> None:
    counts = loaded(at(ANN, 5, 3))
    counts.hear(T, [Event("message", 6, b"{")])
    assert counts.wants


def test_an_event_that_overtook_the_answer_is_not_undone_by_it() -> None:
    counts = loaded(at(ANN, 5, 3, read=3))
    counts.lost()
    begun = counts.begin_load()
    assert begun is not None
    counts.hear(T, [message(6, 4, "zoe", "ann"), message(7, 5)])
    counts.absorb(begun, [at(ANN, 5, 3, read=3)])
    counts.finish_load(begun)
    assert values(counts, ANN) == (2, 1, 2)


def test_an_old_answer_moves_no_cursor_back() -> None:
    counts = loaded(at(ANN, 5, 4, read=1))
    counts.lost()
    begun = counts.begin_load()
    assert begun is not None
    counts.hear(T, [read(6, "ann", 4)])
    counts.absorb(begun, [at(ANN, 5, 4, read=1)])
    assert values(counts, ANN) == (0, 0, 0)


def test_an_answer_that_knows_more_than_was_heard_is_not_counted_twice() -> None:
    counts = loaded(at(ANN, 5, 3, read=3))
    counts.join(BOB)
    load(counts, at(BOB, 7, 5, read=3, mention_seqs=[5]))
    counts.hear(T, [message(6, 4), message(7, 5, "zoe", "bob")])
    assert (values(counts, ANN), values(counts, BOB)) == ((2, 0, 2), (2, 1, 2))
    assert not counts.wants


def test_one_who_comes_while_events_pass_is_loaded_again_for_what_the_answer_missed() -> None:
    counts = loaded(at(ANN, 5, 3, read=3))
    counts.join(BOB)
    begun = counts.begin_load()
    assert begun is not None
    counts.hear(T, [message(6, 4, "zoe", "bob")])
    counts.absorb(begun, [at(BOB, 5, 3, read=3)])
    counts.finish_load(begun)
    assert counts.wants
    load(counts, at(BOB, 6, 4, read=3, mention_seqs=[4]))
    assert values(counts, BOB) == (1, 1, 1)


def test_events_of_a_thread_nobody_was_known_in_are_not_lost_on_a_load_under_way() -> None:
    counts = Counts()
    counts.join(ANN)
    begun = counts.begin_load()
    assert begun is not None
    counts.hear(T, [message(6, 4)])
    counts.absorb(begun, [at(ANN, 5, 3, read=3)])
    counts.finish_load(begun)
    assert load(counts, at(ANN, 6, 4, read=3))
    assert values(counts, ANN) == (1, 0, 1)


def test_a_load_that_outlasts_the_memory_of_what_passed_is_done_again() -> None:
    counts = Counts()
    counts.join(ANN)
    begun = counts.begin_load()
    assert begun is not None
    for number in range(PASSED_MAX + 1):
        counts.hear(ThreadId(f"t{number}"), [Event("message", 2, b"")])
    assert counts.finish_load(begun) == []
    assert counts.wants.wants_all(ANN)


def test_an_own_state_that_differs_is_loaded_and_its_cursor_believed_at_once() -> None:
    counts = loaded(at(ANN, 5, 4, read=1))
    counts.hear_own(own(ANN, 3))
    assert values(counts, ANN) == (1, 0, 1)
    assert not counts.wants
    counts.hear_own(own(ANN, 3, marked=2))
    assert load(counts, at(ANN, 5, 4, read=3, marked_unread_seq=2, mention_seqs=[2]))
    assert values(counts, ANN) == (3, 1, 3)
    counts.hear_own(own(ANN, 3, marked=2, muted=True))
    assert load(counts, at(ANN, 5, 4, read=3, marked_unread_seq=2, muted=True))
    assert values(counts, ANN) == (3, 0, 0)


def test_an_old_own_state_moves_no_cursor_back() -> None:
    counts = loaded(at(ANN, 5, 4, read=3))
    counts.hear_own(own(ANN, 1))
    assert values(counts, ANN) == (1, 0, 1)
    assert not counts.take_changed()


def test_reading_clears_ones_mark_and_asks_whether_it_was_set_again() -> None:
    counts = loaded(at(ANN, 5, 4, read=4, marked_unread_seq=2))
    assert values(counts, ANN)[0] == 3
    counts.hear(T, [message(6, 5, "ann")])
    assert values(counts, ANN)[0] == 0
    assert load(counts, at(ANN, 6, 5, read=5, marked_unread_seq=5))
    assert values(counts, ANN)[0] == 1


def test_what_is_heard_while_an_answer_is_on_its_way_is_asked_again_after_it() -> None:
    """The answer may be older, and bring back a mention, a mark or a mute that is gone."""
    stale = at(ANN, 5, 4, read=1, marked_unread_seq=2, muted=True, mention_seqs=[4])
    heard: list[Callable[[Counts], None]] = [
        lambda counts: counts.hear(T, [message(6, 4, kind="message_deleted")]),
        lambda counts: counts.hear(T, [read(6, "ann", 3)]),
        lambda counts: counts.hear(T, [message(6, 5, "ann")]),
        lambda counts: counts.hear(T, [member("member_removed", 6, "ann")]),
        lambda counts: counts.hear_own(own(ANN, 1)),
    ]
    for hear in heard:
        counts = loaded(at(ANN, 5, 4, read=1))
        counts.wants.want(ANN, T)
        begun = counts.begin_load()
        assert begun is not None
        hear(counts)
        assert counts.begin_load() is None
        counts.absorb(begun, [stale])
        counts.finish_load(begun)
        assert load(counts, at(ANN, 6, 5, read=5))
        assert values(counts, ANN) == (0, 0, 0)


def test_of_two_last_messages_the_later_is_shown() -> None:
    def shown(seq: int) -> MessagePreview:
        state = parse_json(preview_of(parse_json(message(5, seq).frame)["data"]))
        return MessagePreview.model_validate_json(json.dumps(state | {"content": "loaded"}))

    counts = loaded(at(ANN, 5, 4, last_message=shown(4)))
    counts.hear(T, [message(6, 4, kind="message_updated")])
    counts.wants.want(ANN, T)
    load(counts, at(ANN, 5, 4, last_message=shown(4)))
    assert b"rev 6" in (counts.threads[T].preview or b"")
    counts.join(BOB)
    load(counts, at(BOB, 9, 7, read=7))
    assert counts.threads[T].preview is None, "what was the last message is not any more"
    counts.wants.want(ANN, T)
    load(counts, at(ANN, 9, 7, last_message=shown(7)))
    counts.hear(T, [message(7, 7, kind="message_updated")])
    assert b"loaded" in (counts.threads[T].preview or b"")


def test_a_removed_member_is_told_and_one_who_is_added_is_loaded() -> None:
    counts = loaded(at(ANN, 5, 4), at(BOB, 5, 4))
    counts.hear(T, [member("member_removed", 6, "ann")])
    assert T not in counts.users[ANN].standings
    assert (counts.users[ANN].total, list(counts.take_changed())) == (0, [(ANN, T)])
    counts.hear(T, [member("member_added", 7, "ann")])
    assert load(counts, at(ANN, 7, 4))
    assert values(counts, ANN) == (4, 0, 4)


def test_a_first_member_who_is_connected_is_loaded_though_the_thread_is_not_known() -> None:
    counts = loaded(at(ANN, 5, 4))
    counts.hear(ThreadId("new"), [Event("thread_updated", 1, b"{}"), member("member_added", 2, "ann")])
    assert load(counts, at(ANN, 2, 0, thread=ThreadId("new")))
    assert ThreadId("new") in counts.users[ANN].standings


def test_after_a_gap_everybody_is_loaded_again_and_threads_go_on_from_there() -> None:
    counts = loaded(at(ANN, 5, 4))
    counts.lost()
    begun = counts.begin_load()
    assert begun is not None
    counts.absorb(begun, [at(ANN, 9, 7)])
    assert [user.id for user in counts.finish_load(begun)] == [ANN]
    counts.hear(T, [message(10, 8)])
    assert values(counts, ANN) == (8, 0, 8)
    assert not counts.wants


def test_nothing_is_kept_of_who_is_gone() -> None:
    counts = loaded(at(ANN, 5, 4), at(BOB, 5, 4))
    counts.forget(ANN)
    assert set(counts.threads[T].members) == {BOB}
    counts.forget(BOB)
    assert (counts.users, counts.threads) == ({}, {})


def test_a_failed_load_is_wanted_again_of_those_who_are_still_there() -> None:
    counts = Counts()
    counts.join(ANN)
    counts.join(BOB)
    begun = counts.begin_load()
    assert begun is not None
    counts.forget(BOB)
    counts.fail_load(begun)
    again = counts.begin_load()
    assert again is not None
    assert again.user_ids == (ANN,)


def test_many_users_are_loaded_in_few_questions_and_none_in_two_at_a_time() -> None:
    counts = Counts()
    users = [UserId(f"u{number}") for number in range(2 * POSITIONS_USERS_MAX + 1)]
    for user in users:
        counts.join(user)
    loads = [counts.begin_load() for _ in range(4)]
    sizes = [len(begun.user_ids) for begun in loads if begun is not None]
    assert sizes == [POSITIONS_USERS_MAX, POSITIONS_USERS_MAX, 1]
    counts.wants.want(users[0], T)
    assert counts.begin_load() is None

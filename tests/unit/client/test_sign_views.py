"""Presence, unread and typing as a client shows them: the pure parts."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from chatterbus_client.presence_view import UNKNOWN, Presence, PresenceView
from chatterbus_client.typing_view import TypingView
from chatterbus_client.unread_view import UnreadView
from chatterbus_contracts.frames.server import TypingNotice, UnreadNotice, UnreadSnapshot
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import UnreadItem
from tests.unit.client.peer import presence

SEEN = "2026-03-01T12:00:00.000Z"


# Presence


def test_of_two_notices_for_a_user_the_later_one_is_shown_whatever_the_order() -> None:
    notices = [presence("bob", "online", 5), presence("bob", "away", 6), presence("bob", "offline", 7, SEEN)]
    for order in permutations(notices):
        view = PresenceView(10)
        for notice in order:
            view.receive(notice)
        assert dict(view) == {"bob": Presence("offline", SEEN)}


def test_only_what_is_seen_differently_is_a_change() -> None:
    view = PresenceView(10)
    assert not view.receive(presence("bob", "offline", 0)), "unknown was assumed before"
    assert view.receive(presence("bob", "online", 5))
    assert not view.receive(presence("bob", "online", 6))
    assert not view.receive(presence("bob", "away", 6)), "not later"


def test_who_may_not_be_seen_any_more_is_unknown_after_a_new_connection_or_question_and_not_before() -> None:
    view = PresenceView(10)
    for begin_anew in (view.connected, lambda: view.asked({"bob"})):
        view.receive(presence("bob", "online", 5))
        assert not view.receive(presence("bob", "offline", 0))
        begin_anew()
        assert view.receive(presence("bob", "offline", 0))
        assert view["bob"] == UNKNOWN


def test_who_was_withdrawn_is_believed_again_whatever_the_version() -> None:
    view = PresenceView(10)
    view.receive(presence("bob", "online", 5))
    assert view.receive(presence("bob", "offline", 6))
    assert view.receive(presence("bob", "online", 5)), "nothing has changed for bob meanwhile"


def test_of_whom_a_new_connection_tells_nothing_is_forgotten() -> None:
    view = PresenceView(10)
    for user in ("bob", "carol", "dan"):
        view.receive(presence(user, "online", 5))
    view.receive(presence("eve", "offline", 0))
    view.connected()
    view.receive(presence("bob", "online", 5))
    assert view.forget_untold() == ["carol", "dan"]
    assert set(view) == {"bob"}
    assert view.forget_untold() == []


def test_of_whom_the_server_has_no_reason_to_tell_is_forgotten() -> None:
    view = PresenceView(10)
    view.receive(presence("bob", "online", 5))
    view.receive(presence("carol", "dnd", 5))
    assert view.keep_only({"carol"}) == ["bob"]
    assert view.receive(presence("bob", "away", 2))


def test_of_too_many_users_those_told_of_longest_ago_are_forgotten() -> None:
    view = PresenceView(2)
    for version, user in enumerate(("bob", "carol", "bob", "dan"), start=1):
        view.receive(presence(user, "online", version))
    assert list(view) == ["bob", "dan"]


# Unread


def item(thread: str, unread: int) -> UnreadItem:
    return UnreadItem(
        thread_id=ThreadId(thread), last_seq=9, read_seq=9 - unread, unread=unread, mentions=0, muted=False,
        last_message=None,
    )  # fmt: skip


def notice(thread: str, unread: int, total: int, version: int) -> UnreadNotice:
    return UnreadNotice(**dict(item(thread, unread)), total_unread=total, version=version)


def snapshot(version: int, total: int, *items: UnreadItem, more: bool = False) -> UnreadSnapshot:
    return UnreadSnapshot(items=list(items), more=more, total_unread=total, version=version)


def shown(view: UnreadView) -> tuple[dict[str, int], int]:
    return {thread: state.unread for thread, state in view.items()}, view.total


def test_a_snapshot_replaces_all_that_is_not_newer() -> None:
    view = UnreadView()
    view.receive(notice("old", 2, 2, 5))
    view.receive(notice("new", 4, 6, 9))
    assert view.receive_snapshot(snapshot(7, 3, item("other", 1), item("new", 2))) == ["old", "other"]
    assert shown(view) == ({"new": 4, "other": 1}, 6)


def test_a_thread_with_nothing_unread_is_not_shown() -> None:
    view = UnreadView()
    assert view.receive(notice("t", 1, 1, 1))
    assert view.receive(notice("t", 0, 0, 2))
    assert not view.receive(notice("t", 1, 1, 1)), "an old notice changes nothing"
    assert shown(view) == ({}, 0)
    assert not view.receive(notice("t", 0, 0, 3))


def test_a_partial_snapshot_says_so_and_its_total_counts_all() -> None:
    view = UnreadView()
    view.receive_snapshot(snapshot(1, 500, item("t", 1), more=True))
    assert (view.is_partial, view.total, len(view)) == (True, 500, 1)
    view.receive_snapshot(snapshot(2, 1, item("t", 1)))
    assert (view.is_partial, view.total) == (False, 1)


def test_another_store_starts_anew_with_lower_versions() -> None:
    view = UnreadView()
    view.receive_snapshot(snapshot(100, 3, item("t", 3)))
    assert view.clear() == ["t"]
    assert shown(view) == ({}, 0)
    assert view.receive(notice("t", 1, 1, 2))


frames = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3)),
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)),
    ),
    max_size=12,
)


@given(frames, st.randoms(use_true_random=False))
def test_lost_doubled_and_reordered_frames_end_in_the_state_of_the_latest(
    script: list[tuple[str, int] | dict[str, int]], random: object
) -> None:
    counts: dict[str, int] = {}
    told: list[UnreadNotice | UnreadSnapshot] = []
    for version, change in enumerate(script, start=1):
        if isinstance(change, tuple):
            counts[change[0]] = change[1]
            told.append(notice(*change, sum(counts.values()), version))
        else:
            counts = dict(change)
            items = [item(thread, unread) for thread, unread in counts.items() if unread]
            told.append(snapshot(version, sum(counts.values()), *items))
    told += told
    random.shuffle(told)  # type: ignore[attr-defined]
    view = UnreadView()
    for frame in told:
        if isinstance(frame, UnreadSnapshot):
            view.receive_snapshot(frame)
        else:
            view.receive(frame)
    assert shown(view) == ({thread: unread for thread, unread in counts.items() if unread}, sum(counts.values()))


# Typing


def typing(user: str, is_typing: bool = True, thread: str = "demo") -> TypingNotice:
    return TypingNotice(thread_id=ThreadId(thread), user_id=UserId(user), user_type="user", is_typing=is_typing)


def test_a_writer_is_shown_until_the_last_notice_expires() -> None:
    view = TypingView(10)
    assert view.receive(typing("bob"), 0.0)
    assert not view.receive(typing("bob"), 2.0), "said again"
    assert view.next_end == 5.0
    assert view.expire(4.9) == set()
    assert view.writers("demo") == {"bob"}
    assert view.expire(5.0) == {"demo"}
    assert (view.writers("demo"), view.next_end) == (frozenset(), None)


def test_a_writer_is_gone_who_stops_or_says_it() -> None:
    view = TypingView(10)
    for user in ("bob", "carol"):
        view.receive(typing(user), 0.0)
    assert view.receive(typing("bob", is_typing=False), 1.0)
    assert not view.receive(typing("bob", is_typing=False), 1.0)
    assert not view.said("other", "carol"), "elsewhere is not here"
    assert view.said("demo", "carol")
    assert view.writers("demo") == frozenset()


def test_more_writers_than_anyone_reads_are_not_kept() -> None:
    view = TypingView(1)
    assert view.receive(typing("bob"), 0.0)
    assert not view.receive(typing("carol"), 0.0)
    assert view.clear() == {"demo"}

"""The checkers themselves: a good history passes, and each fault fires exactly its checker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.checkers import check_base, check_converged, violations
from tests.kit.history import Attempt, History, Observation, Stored


def good() -> History:
    """Two senders, one thread, four messages; both see all; a poller too."""
    history = History(members={"t": frozenset({"a", "b"})})
    values = ["a-1", "b-1", "a-2", "b-2"]
    for seq, value in enumerate(values, 1):
        client, _, number = value.partition("-")
        history.attempts += [
            Attempt(value, client, "t", int(number), "invoke", seq),
            Attempt(value, client, "t", int(number), "ok", seq + 0.5, seq),
        ]
        history.stored.append(Stored(value, "t", seq, seq + 10, f"t~{seq}", client))
        for observer in ("a", "b"):
            history.observations.append(Observation(observer, "t", seq, "event", seq, seq + 10, value))
    history.polled["t"] = [11, 12, 13, 14]
    history.views = {("a", "t"): list(values), ("b", "t"): list(values)}
    return history


def fired(history: History) -> set[str]:
    return {violation.checker for violation in violations(history)}


def test_a_good_history_has_no_violations() -> None:
    assert violations(good()) == []


def test_an_acked_message_that_is_not_stored_is_lost() -> None:
    history = good()
    history.attempts.append(Attempt("a-3", "a", "t", 3, "ok", 9.0, 5))
    assert fired(history) == {"C1"}


def test_a_message_that_nobody_sent_is_unexpected() -> None:
    history = good()
    history.stored.append(Stored("x-1", "t", 5, 15, "t~5", "x"))
    history.polled["t"].append(15)
    history.views = {}
    assert fired(history) == {"C1"}


def test_a_refused_message_that_is_stored_fires_the_set_checker() -> None:
    history = good()
    history.attempts.append(Attempt("b-2", "b", "t", 2, "fail", 9.0))
    assert fired(history) == {"C1"}


def test_an_attempt_of_unknown_fate_may_be_stored_or_not() -> None:
    history = good()
    history.attempts.append(Attempt("a-3", "a", "t", 3, "info", 9.0))
    assert violations(history) == []


def test_a_message_stored_twice_fires_the_uniqueness_checker() -> None:
    history = good()
    history.stored.append(Stored("a-1", "t", 5, 15, "t~5", "a"))
    history.polled["t"].append(15)
    history.views = {}
    assert fired(history) >= {"C2"}


def test_an_id_used_twice_fires_the_uniqueness_checker() -> None:
    history = good()
    history.stored[3] = replace(history.stored[3], id="t~3")
    assert fired(history) == {"C2"}


def test_two_acks_with_different_seqs_fire_the_uniqueness_checker() -> None:
    history = good()
    history.attempts.append(Attempt("a-1", "a", "t", 1, "ok", 9.0, 7))
    assert fired(history) == {"C2"}


def test_a_hole_in_the_seqs_fires_the_order_checker() -> None:
    history = good()
    history.stored[3] = replace(history.stored[3], seq=5)
    history.attempts = [replace(item, seq=5) if item.seq == 4 else item for item in history.attempts]
    assert fired(history) == {"C3"}


def test_two_messages_of_a_sender_that_changed_places_fire_the_order_checker() -> None:
    history = good()
    history.attempts = [
        replace(item, order={1: 2, 2: 1}[item.order]) if item.client == "a" else item for item in history.attempts
    ]
    assert fired(history) == {"C3"}


def test_an_observer_that_goes_back_fires_the_order_checker() -> None:
    history = good()
    history.observations.append(Observation("a", "t", 9, "event", 9.0, 12, "b-1"))
    assert fired(history) == {"C3"}


def test_a_silent_hole_fires_the_order_checker() -> None:
    history = good()
    history.observations = [item for item in history.observations if (item.observer, item.rev) != ("b", 12)]
    assert fired(history) == {"C3"}


@pytest.mark.parametrize("notice", ["resync", "reset"])
def test_a_hole_that_was_announced_is_none(notice: str) -> None:
    history = good()
    history.observations = [
        replace(item, kind=notice) if (item.observer, item.rev) == ("b", 12) else item  # type: ignore[arg-type]
        for item in history.observations
    ]
    assert violations(history) == []


def test_a_view_that_is_not_the_truth_fires_the_order_checker() -> None:
    history = good()
    history.views["b", "t"].pop()
    assert fired(history) == {"C3"}


def test_a_row_that_a_poller_missed_fires_its_checker() -> None:
    history = good()
    history.polled["t"].remove(12)
    assert fired(history) == {"C4"}


def test_a_stranger_who_saw_an_event_fires_the_leak_checker() -> None:
    history = good()
    history.observations.append(Observation("eve", "t", 1, "event", 1.0, 11, "a-1"))
    assert fired(history) == {"C5"}


def test_counts_that_differ_from_the_truth_are_named() -> None:
    assert check_converged("unread", {"a": 1, "b": 0}, {"a": 1, "b": 0}) == []
    (found,) = check_converged("unread", {"a": 1}, {"a": 2})
    assert (found.checker, found.about) == ("C6", "a: told 1, true 2")


def test_what_was_not_given_back_is_named() -> None:
    assert check_base({"fds": 10}, {"fds": 12}, {"fds": 2}) == []
    assert [found.checker for found in check_base({"fds": 10}, {"fds": 13}, {"fds": 2})] == ["C7"]


def test_a_history_is_written_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    good().write(path)
    assert len(path.read_text().splitlines()) == 8 + 8 + 4

"""What must hold of every history, whatever failed meanwhile. Pure: each checker returns what it found wrong.

C1 nothing lost, nothing made up, nothing stored that was refused. C2 one id and one seq for each message, the same in
every ack. C3 order: seqs without holes, a sender's messages in the order sent, an observer's revs growing, holes
only where it was told to repair, and complete at the end. C4 who polled by rev saw every row. C5 nobody saw a thread
that is not theirs. C6 unread counts and presence agree with the truth. C7 what a run took is given back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.kit.history import History


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong: which checker, what kind, and about what."""

    checker: str
    kind: str
    about: str


def check_set(history: History) -> list[Violation]:
    """C1."""
    stored = {message.value for message in history.stored}
    refused = {attempt.value for attempt in history.attempts if attempt.outcome == "fail"}
    found = [Violation("C1", "lost", value) for value in sorted(set(history.acked) - stored)]
    found += [Violation("C1", "unexpected", value) for value in sorted(stored - history.sent)]
    found += [Violation("C1", "stored though refused", value) for value in sorted(stored & refused)]
    return found


def check_once(history: History) -> list[Violation]:
    """C2."""
    found = [
        Violation("C2", "stored twice", value)
        for value, count in Counter(message.value for message in history.stored).items()
        if count > 1
    ]
    found += [
        Violation("C2", "id used twice", name)
        for name, count in Counter(message.id for message in history.stored).items()
        if count > 1
    ]
    seqs = {message.value: message.seq for message in history.stored}
    for value, acked in history.acked.items():
        if len(set(acked)) > 1 or (value in seqs and seqs[value] not in acked):
            found.append(Violation("C2", "acks disagree", value))
    return found


def check_order(history: History) -> list[Violation]:
    """C3."""
    return [*_seq_order(history), *_sender_order(history), *_observer_order(history), *_complete_views(history)]


def _seq_order(history: History) -> list[Violation]:
    by_thread: dict[str, list[int]] = defaultdict(list)
    for message in history.stored:
        by_thread[message.thread].append(message.seq)
    return [
        Violation("C3", "seqs are not 1 to N", thread)
        for thread, seqs in by_thread.items()
        if sorted(seqs) != list(range(1, len(seqs) + 1))
    ]


def _sender_order(history: History) -> list[Violation]:
    seqs = {message.value: message.seq for message in history.stored}
    order: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for attempt in history.attempts:
        order[attempt.client, attempt.thread].setdefault(attempt.value, attempt.order)
    found = []
    for (client, thread), values in order.items():
        placed = [seqs[value] for value, _ in sorted(values.items(), key=lambda item: item[1]) if value in seqs]
        if placed != sorted(placed):
            found.append(Violation("C3", "a sender's messages changed places", f"{client} in {thread}"))
    return found


def _observer_order(history: History) -> list[Violation]:
    found = []
    position: dict[tuple[str, str], int | None] = {}
    for seen in sorted(history.observations, key=lambda item: (item.observer, item.thread, item.order)):
        key = (seen.observer, seen.thread)
        last = position.get(key)
        if seen.kind != "event":
            position[key] = None  # told to repair: what follows may begin anywhere
            continue
        if last is not None and seen.rev <= last:
            found.append(Violation("C3", "an observer went back", f"{seen.observer} in {seen.thread} at {seen.rev}"))
        elif last is not None and seen.rev != last + 1:
            found.append(Violation("C3", "a silent hole", f"{seen.observer} in {seen.thread} at {seen.rev}"))
        position[key] = seen.rev
    return found


def _complete_views(history: History) -> list[Violation]:
    truth: dict[str, list[str]] = defaultdict(list)
    for message in sorted(history.stored, key=lambda item: item.seq):
        truth[message.thread].append(message.value)
    return [
        Violation("C3", "a view is not the truth at the end", f"{observer} in {thread}")
        for (observer, thread), view in history.views.items()
        if view != truth[thread]
    ]


def check_poller(history: History) -> list[Violation]:
    """C4."""
    found = []
    for thread, revs in history.polled.items():
        if revs != sorted(set(revs)):
            found.append(Violation("C4", "a poller went back", thread))
        missed = {message.rev for message in history.stored if message.thread == thread} - set(revs)
        found += [Violation("C4", "a poller missed a row", f"{thread} at {rev}") for rev in sorted(missed)]
    return found


def check_leaks(history: History) -> list[Violation]:
    """C5."""
    return [
        Violation("C5", "a stranger saw an event", f"{seen.observer} in {seen.thread} at {seen.rev}")
        for seen in history.observations
        if seen.thread in history.members and seen.observer not in history.members[seen.thread]
    ]


def check_converged(what: str, told: Mapping[str, object], truth: Mapping[str, object]) -> list[Violation]:
    """C6: what clients were told last, against what the store or the sockets say, key by key."""
    return [
        Violation("C6", f"{what} differs", f"{key}: told {told.get(key)}, true {truth.get(key)}")
        for key in sorted({*told, *truth})
        if told.get(key) != truth.get(key)
    ]


def check_base(before: Mapping[str, float], after: Mapping[str, float], slack: Mapping[str, float]) -> list[Violation]:
    """C7: figures after draining against those before, with what each may have grown by (default 0)."""
    return [
        Violation("C7", "not given back", f"{name}: {before.get(name, 0):g} before, {value:g} after")
        for name, value in after.items()
        if value > before.get(name, 0) + slack.get(name, 0)
    ]


CHECKERS: Final[tuple[Callable[[History], list[Violation]], ...]] = (
    check_set,
    check_once,
    check_order,
    check_poller,
    check_leaks,
)


def violations(history: History) -> list[Violation]:
    """Everything that C1 to C5 find."""
    return [violation for checker in CHECKERS for violation in checker(history)]

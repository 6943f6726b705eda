"""P2: unread counts under random work of the ledger, with announcements lost, doubled and late, and loads that race.

After quiet, what each client was told is what the store says of it; versions of one user never go back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from chatterbus_contracts.codec import decode
from chatterbus_contracts.commands import Command
from chatterbus_contracts.envelopes import decode_events
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.own_states import OWN_STATE_CHANGED
from chatterbus_contracts.queries import Position
from chatterbus_contracts.subjects import parse_event_subject, partition_of
from chatterbus_notifier.unread.counts import Counts
from chatterbus_notifier.unread.frames import farewell, unread_notice, unread_snapshot
from chatterbus_notifier.unread.standing import User, unread_of
from chatterbus_notifier.unread.wants import Load
from chatterbus_notifier.versions import VersionClock
from chatterbus_persister.batch import announcement_of
from tests.kit.ledger_commands import add, create, delete, edit, mark, move, own, react, remove, send
from tests.kit.ledger_fake import PARTITIONS, FakeStore
from tests.kit.ledger_worker import Clock, Queue, Worker
from tests.kit.unread_view import UnreadView, positions_of, unread_items

T = TypeVar("T")
WHO = st.sampled_from(["ann", "ann", "bob", "bob", "cid"])
THREADS = st.sampled_from(["t", "t", "t", "u"])
SEQS = st.integers(1, 6)
OFTEN = ["send"] * 4 + ["read", "mark", "delete"] * 2
KINDS = st.sampled_from([*OFTEN, "private", "show", "edit", "mute", "unmute", "create", "add", "remove"])
COMMANDS: dict[str, Callable[[str, str, str, int, int], list[Command]]] = {
    "send": lambda thread, who, other, seq, n: [send(thread, who, f"c{n}", f"message {n}", mentions=[other])],
    "read": lambda thread, who, other, seq, n: [move(thread, who, read=seq)],
    "private": lambda thread, who, other, seq, n: [own(thread, who, show_receipts=False), move(thread, who, read=seq)],
    "show": lambda thread, who, other, seq, n: [own(thread, who, show_receipts=True), move(thread, who, delivered=seq)],
    "mark": lambda thread, who, other, seq, n: [mark(thread, who, seq)],
    "edit": lambda thread, who, other, seq, n: [edit(thread, who, seq, f"edited {n}"), react(thread, who, seq)],
    "delete": lambda thread, who, other, seq, n: [delete(thread, who, seq)],
    "mute": lambda thread, who, other, seq, n: [own(thread, who, muted=True)],
    "unmute": lambda thread, who, other, seq, n: [own(thread, who, muted=False)],
    "create": lambda thread, who, other, seq, n: [create(thread, who, other)],
    "add": lambda thread, who, other, seq, n: [add(thread, who, other)],
    "remove": lambda thread, who, other, seq, n: [remove(thread, who, other)],
}
GAP = ("", b"")
"""Stands where messages of the stream are gone."""


class UnreadMachine(RuleBasedStateMachine):
    def __init__(self, runner: asyncio.Runner) -> None:
        super().__init__()
        self._runner = runner
        self.store = FakeStore()
        self.queue = Queue()
        self.counts = Counts()
        self.clock = VersionClock(lambda: 0)
        self.wire: list[tuple[str, bytes]] = []
        self.heard: list[tuple[str, bytes]] = []
        self.asked: list[Load] = []
        self.answers: list[tuple[Load, list[Position]]] = []
        self.views: dict[str, UnreadView] = {}
        self.sent = 0

    def _run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self._runner.run(awaited())

    @initialize()
    def begin(self) -> None:
        self._run(self.store.empty())
        self.worker = Worker(self._run(self.store.session()), self.queue, Clock())
        self._run(self.worker.begin())
        self._work(create("t", "ann", "bob"), create("u", "bob", "ann", "cid"))
        self._connect("ann")
        self._connect("bob")
        self._quiet()

    def teardown(self) -> None:
        self._quiet()

    # What happens in the store.

    def _work(self, *commands: Command) -> None:
        for command in commands:
            self.queue.publish(partition_of(command.thread_id, PARTITIONS), command)
        self._run(self._commit())

    async def _commit(self) -> None:
        batch = self.worker.take()
        result = await self.worker._lane._commit(self.worker.session, batch)
        for partition, seq in batch.reached.items():
            held = self.worker.held[partition]
            self.worker.held[partition] = type(held)(held.epoch, held.stream_created, seq, held.announced)
        self.wire += announcement_of(result).events

    @rule(work=st.lists(st.tuples(KINDS, THREADS, WHO, WHO, SEQS), min_size=1, max_size=4))
    def the_ledger_works(self, work: list[tuple[str, str, str, str, int]]) -> None:
        for kind, thread, who, other, seq in work:
            self.sent += 1
            self._work(*COMMANDS[kind](thread, who, other, seq, self.sent))

    # What happens on the way.

    @precondition(lambda self: self.wire)
    @rule(most=st.integers(1, 4))
    def some_of_it_arrives(self, most: int) -> None:
        for _ in range(min(most, len(self.wire))):
            self._deliver()

    @precondition(lambda self: self.wire)
    @rule(data=st.data(), mishap=st.sampled_from(["lost", "skipped", "late", "again"]))
    def something_goes_wrong(self, data: st.DataObject, mishap: str) -> None:
        index = data.draw(st.integers(0, len(self.wire) - 1))
        subject = self.wire[index][0]
        if mishap == "lost":
            self.wire[index] = GAP
        elif mishap == "skipped" and "evt" in subject and any(subject == each[0] for each in self.wire[index + 1 :]):
            del self.wire[index]  # nothing tells, but the next event's rev
        elif mishap == "late" and GAP not in self.wire[index : index + 2]:
            self.wire[index : index + 2] = reversed(self.wire[index : index + 2])
        elif mishap == "again" and self.heard:
            self.wire.insert(0, data.draw(st.sampled_from(self.heard)))

    def _deliver(self) -> None:
        subject, payload = message = self.wire.pop(0)
        if message == GAP:
            self.counts.lost()
        elif ".own." in subject:
            for line in decode_events(payload):
                self.counts.hear_own(decode(OWN_STATE_CHANGED, line.frame))
        else:
            self.counts.hear(parse_event_subject(subject), decode_events(payload))
        self.heard = [*self.heard[-20:], message] if message != GAP else self.heard
        self._tell()

    # What the notifier does.

    @rule(who=WHO, here=st.sampled_from([True, True, False]))
    def a_client_comes_or_goes(self, who: str, here: bool) -> None:
        self._connect(who) if here else self._disconnect(who)

    def _connect(self, who: str) -> None:
        user = self.counts.join(UserId(who))
        self.views.setdefault(who, UnreadView())
        if user.loaded:
            self._tell_all(user)

    def _disconnect(self, who: str) -> None:
        self.counts.forget(UserId(who))
        self.views.pop(who, None)

    @rule(data=st.data(), fate=st.sampled_from(["", "", "", "half", "fails"]))
    def a_load_moves_on(self, data: st.DataObject, fate: str) -> None:
        begun = self.counts.begin_load()
        moving = [*([begun] if begun else ()), *self.asked, *(load for load, _ in self.answers)]
        self.asked += [begun] if begun else []
        if not moving:
            return
        load = data.draw(st.sampled_from(range(len(moving))))
        if moving[load] in self.asked:
            self._read(moving[load])
        else:
            self._answer([each for each, _ in self.answers].index(moving[load]), fate)

    def _read(self, load: Load) -> None:
        self.asked.remove(load)
        self.answers.append((load, positions_of(self.store.tables, load.user_ids, load.thread_id)))

    def _answer(self, index: int, fate: str) -> None:
        load, positions = self.answers[index]
        page = positions[: len(positions) // 2] if fate == "half" else positions
        self.answers[index] = (load, positions[len(page) :])
        self.counts.absorb(load, page)
        if fate == "fails":
            del self.answers[index]
            self.counts.fail_load(load)
        elif fate != "half":
            self._finish(index)
        self._tell()

    def _finish(self, index: int) -> None:
        load, _ = self.answers.pop(index)
        for user in self.counts.finish_load(load):
            self._tell_all(user)

    def _tell(self) -> None:
        for user_id, thread_id in self.counts.take_changed():
            user = self.counts.users.get(user_id)
            if user is None or not user.loaded:
                continue
            standing = user.standings.get(thread_id)
            if standing is None:
                frame = farewell(user, thread_id, self.clock.next())
            else:
                frame = unread_notice(user, self.counts.threads[thread_id], standing, self.clock.next())
            self.views[user_id].hear(frame)

    def _tell_all(self, user: User) -> None:
        self.views[user.id].hear(unread_snapshot(user, self.counts.threads, self.clock.next()))

    # What must come of it.

    @rule()
    def after_quiet_everybody_was_told_what_is_stored(self) -> None:
        self._quiet()

    def _quiet(self) -> None:
        while self.wire:
            self._deliver()
        for _ in range(100):
            while self.asked:
                self._read(self.asked[0])
            while self.answers:
                self.counts.absorb(*self.answers[0])
                self._finish(0)
            self._tell()
            begun = self.counts.begin_load()
            if begun is None:
                break
            self.asked.append(begun)
        assert not self.counts.wants, "loads do not come to an end"
        for user_id, user in self.counts.users.items():
            self._check(user, unread_items(self.store.tables, user_id), self.views[user_id])

    def _check(self, user: User, stored: dict[str, Any], view: UnreadView) -> None:
        assert view.unread == stored
        assert view.total == user.total == sum(item.unread for item in stored.values() if not item.muted)
        members = {
            thread for (thread, who), row in self.store.tables.members.items() if who == user.id if not row.removed_at
        }
        assert set(user.standings) == members
        for thread_id, standing in user.standings.items():
            counted = 0 if standing.muted else unread_of(self.counts.threads[thread_id], standing)
            assert standing.counted == counted


def test_after_quiet_everybody_was_told_what_the_store_says_whatever_happened_on_the_way() -> None:
    with asyncio.Runner() as runner:
        run_state_machine_as_test(
            lambda: UnreadMachine(runner),
            settings=settings(
                max_examples=200, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )

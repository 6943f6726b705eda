"""P1: the ledger under random commands of every kind, crashes and owners, against a model of plain dictionaries.

Invariants: seq and rev are gapless; every row is what the model says; every command is applied once, in the queue's
order, and answered as the model says; a client that follows events and repairs gaps by asking for changes has the true
state; from any state it ever had, the changes since then lead to the state now.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.commands import Command, RemoveMember, StoreMessage
from chatterbus_contracts.subjects import partition_of
from chatterbus_persister.batch import Batch
from chatterbus_persister.ledger.rows import DELIVERED, READ, MemberRow, MessageRow
from chatterbus_persister.ledger_session import LostPartitionError
from tests.kit.ledger_commands import create, send
from tests.kit.ledger_fake import PARTITIONS, Tables
from tests.kit.ledger_model import ACK, Answer, Model, ModelMember, ModelMessage
from tests.kit.ledger_views import View, catch_up, stored_view, subscribe_again
from tests.kit.ledger_worker import Clock, Crash, Queue, Said, Worker
from tests.kit.ledger_workload import commands_of

T = TypeVar("T")

THREADS = st.sampled_from(["t", "t", "t", "u", "v"])
WORKERS = st.integers(0, 1)


class LedgerMachine(RuleBasedStateMachine):
    """`store` is a FakeStore or a PostgresStore; it is emptied for each run."""

    def __init__(self, store: Any, runner: asyncio.Runner) -> None:
        super().__init__()
        self.store = store
        self._runner = runner
        self.queue = Queue()
        self.clock = Clock()
        self.model = Model()
        self.applied = dict.fromkeys(range(PARTITIONS), 0)
        self.answers: dict[str, list[Answer]] = {}
        self.commands: dict[str, Command] = {}
        self.views: dict[str, View] = {}
        self.snapshots: dict[str, list[View]] = {}
        self.workers: list[Worker] = []

    def _run(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(20):
                return await work

        return self._runner.run(bounded())

    @initialize()
    def begin(self) -> None:
        self._run(self.store.empty())
        self.workers = [self._run(self._new_worker()) for _ in range(2)]
        self._publish(create("t", "ann", "bob"), *(send("t", "bob", f"c{number}") for number in range(1, 4)))
        self._run(self._work(0, 100, "announced"))

    async def _new_worker(self) -> Worker:
        worker = Worker(await self.store.session(), self.queue, self.clock)
        await worker.begin()
        return worker

    def teardown(self) -> None:
        for worker in self.workers:
            self._run(worker.session.close())

    # What clients do.

    def _publish(self, *commands: Command) -> None:
        self.commands.update({command.id: command for command in commands})
        self.queue.publish(partition_of(commands[0].thread_id, PARTITIONS), *commands)

    @rule(parcel=THREADS.flatmap(lambda thread: st.lists(commands_of(thread), min_size=1, max_size=4)))
    def ask(self, parcel: list[Command]) -> None:
        self._publish(*parcel)

    @precondition(lambda self: any(self.queue.streams.values()))
    @rule(data=st.data())
    def the_same_parcel_comes_again(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from([stream for stream in self.queue.streams.values() if stream]))
        stream.append(data.draw(st.sampled_from(stream)))

    # What persisters do.

    @rule(which=WORKERS, most=st.integers(1, 8), end=st.sampled_from(["announced"] * 4 + ["applied", "committed"]))
    def work(self, which: int, most: int, end: str) -> None:
        self._run(self._work(which, most, end))

    @rule(which=WORKERS)
    def everything_is_worked_off(self, which: int) -> None:
        self._run(self._work(which, 1_000, "announced"))
        if any(self.applied[partition] < len(stream) for partition, stream in self.queue.streams.items()):
            self._run(self._work(which, 1_000, "announced"))  # it had lost a partition, and began again
        assert {p: len(stream) for p, stream in self.queue.streams.items()} == self.applied

    async def _work(self, which: int, most: int, end: str) -> None:
        worker = self.workers[which]
        worker.crash_at = end if end == "applied" else None
        batch = worker.take(most)
        try:
            said = await worker.commit(batch)
        except (Crash, LostPartitionError):
            await self._replace(which)
            return
        self._note_applied(batch)
        if end == "committed":
            await self._replace(which)
            return
        self._check_answers(said, batch)
        for frame in said.frames:
            await self._hear(frame)
        await worker.note_announced()

    async def _replace(self, which: int) -> None:
        await self.workers[which].session.close()
        self.workers[which] = await self._new_worker()

    def _note_applied(self, batch: Batch) -> None:
        for item in batch.items:
            place, command = item.place, item.command
            assert not isinstance(command, DecodeError)
            if item.echo:
                self.answers[command.id].append(self.model.answer_now(command))
            else:
                assert self.applied[place.partition] < place.stream_seq, "applied twice"
                self.answers.setdefault(command.id, []).append(self.model.apply(command))
        for partition, seq in batch.reached.items():
            self.applied[partition] = seq

    def _check_answers(self, said: Said, batch: Batch) -> None:
        fresh = sum(not item.echo for item in batch.items)
        assert fresh <= len(said.lines) <= len(batch.items)
        for line in said.lines:
            frame = json.loads(line.frame)
            answer: Answer = (frame.get("code", frame["type"]), frame.get("seq", 0))
            command = self.commands[line.command_id]
            allowed = [*self.answers[line.command_id], self.model.answer_now(command)]
            if isinstance(command, RemoveMember) and command.member_id == command.user_id:
                allowed.append(ACK)  # who wanted to leave is no member, whoever removed him
            assert answer in allowed, f"{command} was answered {answer}, not one of {allowed}"
            if isinstance(command, StoreMessage) and line.applied:
                assert frame["clientMessageId"] == command.client_message_id

    # What observers see.

    async def _hear(self, frame: dict[str, Any]) -> None:
        thread = frame["threadId"]
        view = self.views.setdefault(thread, View())
        members = list(self.model.threads[thread].now())
        if not view.hear(frame) and members:
            async with self.store.reading() as connection:
                await catch_up(connection, thread, members[0], view, 3)
        self.snapshots.setdefault(thread, []).append(view.copy())

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data(), limit=st.integers(1, 6), repair=st.sampled_from([catch_up, catch_up, subscribe_again]))
    def any_old_state_and_the_changes_since_make_the_state_now(
        self, data: st.DataObject, limit: int, repair: Callable[..., Awaitable[None]]
    ) -> None:
        thread = data.draw(st.sampled_from(sorted(self.snapshots)))
        members = list(self.model.threads[thread].now())
        if not members:
            return
        view = data.draw(st.sampled_from([View(), *self.snapshots[thread]])).copy()

        async def repaired() -> None:
            async with self.store.reading() as connection:
                await repair(connection, thread, members[0], view, limit)

        self._run(repaired())
        now = stored_view(self._run(self.store.read_tables()), thread)
        assert view.state() == now.state()
        assert view.rev == now.rev

    @invariant()
    def the_tables_are_what_the_model_says_and_have_no_holes(self) -> None:
        tables: Tables = self._run(self.store.read_tables())
        assert set(tables.threads) == set(self.model.threads)
        for key, row in tables.threads.items():
            expected = self.model.threads[key]
            assert (row.title, row.metadata, row.open) == (expected.title, expected.metadata, expected.open)
            assert row.member_count == len(expected.now())
            messages = [message for (thread, _), message in tables.messages.items() if thread == key]
            assert [message.seq for message in messages] == list(range(1, row.last_seq + 1))
            revs = [message.rev for message in messages]
            assert len(set(revs)) == len(revs)
            assert max(revs, default=0) <= row.last_rev
            told = [_told(tables, message) for message in messages]
            assert told == expected.messages
            assert [list(each.reactions) for each in told] == [list(each.reactions) for each in expected.messages]
            members = {user: member for (thread, user), member in tables.members.items() if thread == key}
            assert {user: _of_member(member) for user, member in members.items()} == expected.members
            files = {str(name): file for (thread, name), file in tables.attachments.items() if thread == key}
            assert {name: (file.owner_id, file.seq) for name, file in files.items()} == expected.files
            for user in members.values():
                _check_steps(tables, user, messages)


def _told(tables: Tables, row: MessageRow) -> ModelMessage:
    kept = [old for key, old in tables.revisions.items() if key[:2] == (row.thread_id, row.seq)]
    assert [old.revision for old in kept] == list(range(1, row.revisions + 1))
    files = [str(file["id"]) for file in row.attachments or ()]
    deleted = row.deleted_at is not None
    for file in tables.attachments.values():
        if (file.thread_id, file.seq) == (row.thread_id, row.seq):
            assert (file.attachment_id in files, file.removed_at is not None) == (not deleted, deleted)
    former = [old.content for old in kept]
    reactions: Any = row.reactions or {}
    return ModelMessage(row.sender_id, row.client_message_id, row.content, files, deleted, former, reactions)


def _of_member(row: MemberRow) -> ModelMember:
    return ModelMember(
        row.role,
        row.removed_at is not None,
        row.delivered_seq,
        row.read_seq,
        row.shown_read_seq,
        row.archived_seq,
        row.muted,
        row.show_receipts,
        row.marked_unread_seq,
    )


def _check_steps(tables: Tables, member: MemberRow, messages: list[MessageRow]) -> None:
    """The history says of exactly the messages up to the shown cursors that they arrived and were read."""
    for kind, shown in ((DELIVERED, member.delivered_seq), (READ, member.shown_read_seq)):
        own = (member.thread_id, member.user_id)
        kinds = {kind, READ}  # reading implies delivered
        furthest = max((key[3] for key in tables.steps if key[:2] == own and key[2] in kinds), default=0)
        for message in messages:
            if message.sender_id != member.user_id:
                assert (message.seq <= furthest) == (message.seq <= shown), (kind, message.seq)

"""P1: the ledger under random commands, crashes and owners, against a model of forty lines.

Invariants: seq and rev are gapless; every command is applied once, in the queue's order, and answered as the model
says; a client that follows events and repairs gaps by asking for changes has the true state; from any state it ever
had, the changes since then lead to the state now.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.commands import Command, NewMember, StoreMessage
from chatterbus_contracts.queries import AskChanges
from chatterbus_contracts.states import Role
from chatterbus_contracts.subjects import partition_of
from chatterbus_persister.batch import Batch
from chatterbus_persister.ledger_session import LostPartitionError
from chatterbus_persister.reads.changes import changes
from tests.kit.ledger_commands import add, create, move, send
from tests.kit.ledger_fake import PARTITIONS, Tables
from tests.kit.ledger_model import Answer, Model, View, stored_view
from tests.kit.ledger_worker import Clock, Crash, Queue, Said, Worker

T = TypeVar("T")

THREADS = st.sampled_from(["t", "t", "t", "u", "v"])
USERS = st.sampled_from(["ann", "bob", "cid"])
ROLES = st.sampled_from(list(Role))
IDS = st.sampled_from(["c1", "c2", "c3", "c4", "c5"])
SEQS = st.integers(0, 12)
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

    @rule(thread=THREADS, user=USERS, others=st.dictionaries(USERS, ROLES, max_size=2), opened=st.booleans())
    def create(self, thread: str, user: str, others: dict[str, Role], opened: bool) -> None:
        members = [NewMember(user_id=other, role=role) for other, role in others.items()]  # type: ignore[arg-type]
        self._publish(create(thread, user, members=members, open=opened))

    @rule(thread=THREADS, user=USERS, other=USERS, role=ROLES)
    def add(self, thread: str, user: str, other: str, role: Role) -> None:
        self._publish(add(thread, user, other, role))

    @rule(thread=THREADS, sends=st.lists(st.tuples(USERS, IDS, st.none() | st.integers(1, 9)), min_size=1, max_size=4))
    def send(self, thread: str, sends: list[tuple[str, str, int | None]]) -> None:
        self._publish(
            *(
                send(thread, user, name, f"{user} says {name}", reply_to_id=reply and f"{thread}~{reply}")
                for user, name, reply in sends
            )
        )

    @rule(thread=THREADS, user=USERS, read=st.none() | SEQS, delivered=st.none() | SEQS)
    def receipt(self, thread: str, user: str, read: int | None, delivered: int | None) -> None:
        self._publish(move(thread, user, read, delivered))

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
            if not item.echo:
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
            assert answer in allowed, f"{command} was answered {answer}, not one of {allowed}"
            if isinstance(command, StoreMessage) and line.applied:
                assert frame["clientMessageId"] == command.client_message_id

    # What observers see.

    async def _hear(self, frame: dict[str, Any]) -> None:
        view = self.views.setdefault(frame["threadId"], View())
        if frame["rev"] > view.rev + 1:
            await self._catch_up(frame["threadId"], view, 3)
        if frame["rev"] == view.rev + 1:
            view.apply(frame)
            view.rev += 1
        self.snapshots.setdefault(frame["threadId"], []).append(copy.deepcopy(view))

    async def _catch_up(self, thread: str, view: View, limit: int) -> None:
        """As a client does: pages of changes until complete."""
        owner = next(user for user in self.model.threads[thread].roles)
        async with self.store.reading() as connection:
            complete = False
            while not complete:
                ask = AskChanges(thread_id=thread, user_id=owner, since_rev=view.rev, limit=limit)  # type: ignore[arg-type]
                page = await changes(connection, ask)
                assert page["throughRev"] > view.rev or page["complete"], "no progress"
                for item in page["items"]:
                    view.apply(item)
                view.rev, complete = page["throughRev"], page["complete"]

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data(), limit=st.integers(1, 6))
    def any_old_state_and_the_changes_since_make_the_state_now(self, data: st.DataObject, limit: int) -> None:
        thread = data.draw(st.sampled_from(sorted(self.snapshots)))
        view = copy.deepcopy(data.draw(st.sampled_from([View(), *self.snapshots[thread]])))
        self._run(self._catch_up(thread, view, limit))
        now = stored_view(self._run(self.store.read_tables()), thread)
        assert view.same_as(now)
        assert view.rev == now.rev

    @invariant()
    def the_tables_are_what_the_model_says_and_have_no_holes(self) -> None:
        tables: Tables = self._run(self.store.read_tables())
        assert set(tables.threads) == set(self.model.threads)
        for key, row in tables.threads.items():
            told = stored_view(tables, key)
            expected = self.model.threads[key]
            assert list(told.messages) == list(range(1, row.last_seq + 1))
            revs = [message["rev"] for message in told.messages.values()]
            assert revs == sorted(set(revs))
            assert not revs or revs[-1] <= row.last_rev
            sent = [(message["senderId"], message["clientMessageId"]) for message in told.messages.values()]
            assert sent == expected.sent
            assert told.roles == {user: role.value for user, role in expected.roles.items()}
            assert told.cursors == expected.cursors

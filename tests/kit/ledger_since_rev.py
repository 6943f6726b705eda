"""The property of catching up: state(r) + changes(since r) == state(now), whatever happened in between.

A workload of every command runs in batches over a store. Held: live revs are 1, 2, 3 ...; a client that hears all of
them has the state; from any state there ever was, changes lead to the state now, by pages of any size, and by
subscribing again; so has a client that loses, doubles and mixes events and asks for changes wherever it sees a gap.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from chatterbus_contracts.commands import Command
from chatterbus_persister.ledger.policy import LedgerPolicy
from tests.kit.ledger_views import View, catch_up, fetched_view, stored_view, subscribe_again
from tests.kit.ledger_worker import Ledger
from tests.kit.ledger_workload import WATCHER, beginning, commands_of

THREADS = ("t", "u")
Batches = list[list[Command]]
WORKLOADS: st.SearchStrategy[Batches] = st.lists(
    st.lists(st.sampled_from("tttttu").flatmap(commands_of), min_size=4, max_size=12), min_size=2, max_size=7
)
# With three members, everything is told; or receipts are too many.
POLICIES = st.sampled_from([LedgerPolicy(), LedgerPolicy(), LedgerPolicy(True, 2)])


class BadLine:
    """A client whose events get lost, doubled and mixed, by chance."""

    def __init__(self, chance: Random) -> None:
        self.view = View()
        self._chance = chance
        self._late: list[dict[str, Any]] = []

    async def hear(self, connection: Any, thread: str, frames: list[dict[str, Any]]) -> None:
        """What comes of these events now, and of earlier ones."""
        arriving, self._late = self._late, []
        for frame in frames:
            fate = self._chance.choice(("heard", "heard", "heard", "lost", "doubled", "late"))
            arriving += [frame] * {"heard": 1, "lost": 0, "doubled": 2, "late": 0}[fate]
            if fate == "late":
                self._late.append(frame)
        if self._chance.random() < 0.3:
            self._chance.shuffle(arriving)
        for frame in arriving:
            if not self.view.hear(frame):
                await catch_up(connection, thread, WATCHER, self.view, self._chance.randint(1, 6))


class CatchingUp:
    """One run over a ledger with an empty store."""

    def __init__(self, ledger: Ledger, policy: LedgerPolicy, chance: Random) -> None:
        ledger.policy = policy
        self._ledger = ledger
        self._chance = chance
        self._cursors = policy.receipts_broadcast_max_members > len("abcz")
        self._attentive = {thread: View() for thread in THREADS}
        self._careless = {thread: BadLine(chance) for thread in THREADS}
        self._now: dict[str, View] = {}
        self._past: dict[str, list[View]] = {thread: [View()] for thread in THREADS}

    async def run(self, batches: Batches) -> None:
        for batch in [[command for thread in THREADS for command in beginning(thread)], *batches]:
            await self._apply(batch)
        for thread in THREADS:
            await self._look_back(thread)

    def _same(self, view: View, now: View) -> None:
        assert view.rev == now.rev
        assert view.state(cursors=self._cursors) == now.state(cursors=self._cursors)

    async def _apply(self, batch: list[Command]) -> None:
        said = await self._ledger.apply(*batch)
        tables = await self._ledger.store.read_tables()
        for thread in THREADS:
            frames = [frame for frame in said.frames if frame["threadId"] == thread]
            for frame in frames:
                assert frame["rev"] == self._attentive[thread].rev + 1, "a hole in what is told"
                assert self._attentive[thread].hear(frame)
                self._past[thread].append(self._attentive[thread].copy())
            now = stored_view(tables, thread)
            self._same(self._attentive[thread], now)
            async with self._ledger.store.reading() as connection:
                await self._careless[thread].hear(connection, thread, frames)
            if self._careless[thread].view.rev == now.rev:
                self._same(self._careless[thread].view, now)
            self._now[thread] = now

    async def _look_back(self, thread: str) -> None:
        now = self._now[thread]
        async with self._ledger.store.reading() as connection:
            self._same(await fetched_view(connection, thread, WATCHER), now)
            for view in (self._careless[thread].view, *self._chosen(self._past[thread])):
                repaired = view.copy()
                repair = self._chance.choice((catch_up, catch_up, subscribe_again))
                await repair(connection, thread, WATCHER, repaired, self._chance.choice((1, 1, 2, 3, 5, 500)))
                self._same(repaired, now)

    def _chosen(self, views: list[View]) -> list[View]:
        return self._chance.sample(views, min(8, len(views)))

"""After any workload, search finds what a model finds: words in texts that members of now may see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chatterbus_persister.reads import search_hits
from chatterbus_persister.search.index import SearchIndex
from tests.kit.ledger_commands import add, create, delete, edit, react, remove, send
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger, Said
from tests.kit.postgres_server import Database
from tests.kit.search_stand import SearchStand

USERS = ("ann", "bob", "cid")
THREADS = ("s", "t", "u")
WORDS = ("oak", "oaken", "table", "über")

users, threads, words = st.sampled_from(USERS), st.sampled_from(THREADS), st.sampled_from(WORDS)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
places = st.integers(1, 6)


@dataclass
class Model:
    """Who is where, and what every message says now; None: deleted."""

    members: dict[str, set[str]] = field(default_factory=lambda: {thread: {"ann"} for thread in THREADS})
    contents: dict[tuple[str, int], tuple[str, str | None]] = field(default_factory=dict)

    def found(self, user: str, word: str, prefix: bool) -> set[str]:
        def matches(text: str) -> bool:
            return any(each.startswith(word) if prefix else each == word for each in text.split())

        return {
            f"{thread}~{seq}"
            for (thread, seq), (_, content) in self.contents.items()
            if user in self.members[thread] and content is not None and matches(content)
        }


class SearchMachine(RuleBasedStateMachine):
    """Events are indexed at once, later, twice, or only by a rebuild."""

    def __init__(self, stand: SearchStand, runner: asyncio.Runner) -> None:
        super().__init__()
        self.stand = stand
        self.run = runner.run
        self.model = Model()
        self.late: list[Said] = []
        self.numbers = 0

    @initialize()
    def begin(self) -> None:
        self.run(self.stand.ledger.store.empty())
        self.stand.ledger = Ledger(self.stand.ledger.store)
        for thread in THREADS:
            self.run(self.stand.apply(create(thread, "ann")))

    @rule(thread=threads, user=users, text=texts, at_once=st.booleans())
    def say(self, thread: str, user: str, text: str, at_once: bool) -> None:
        self.numbers += 1
        command = send(thread, user, f"c{self.numbers}", text)
        said = self.run(self.stand.ledger.apply(command))
        answer = said.answer(command)
        assert (answer["type"] == "message_ack") == (user in self.model.members[thread])
        if answer["type"] == "message_ack":
            self.model.contents[thread, answer["seq"]] = (user, text)
        self.announced(said, at_once)

    @rule(thread=threads, seq=places, text=texts, at_once=st.booleans())
    def change(self, thread: str, seq: int, text: str, at_once: bool) -> None:
        sender, content = self.model.contents.get((thread, seq), ("ann", None))
        command = edit(thread, sender, seq, text)
        said = self.run(self.stand.ledger.apply(command))
        if said.answer(command)["type"] == "ack":
            assert content is not None
            self.model.contents[thread, seq] = (sender, text)
        self.announced(said, at_once)

    @rule(thread=threads, seq=places, at_once=st.booleans())
    def forget(self, thread: str, seq: int, at_once: bool) -> None:
        command = delete(thread, "ann", seq)
        said = self.run(self.stand.ledger.apply(command))
        if said.answer(command)["type"] == "ack":
            self.model.contents[thread, seq] = (self.model.contents[thread, seq][0], None)
        self.announced(said, at_once)

    @rule(thread=threads, seq=places)
    def like(self, thread: str, seq: int) -> None:
        self.announced(self.run(self.stand.ledger.apply(react(thread, "ann", seq))), False)

    @rule(thread=threads, user=st.sampled_from(USERS[1:]), joins=st.booleans())
    def come_or_go(self, thread: str, user: str, joins: bool) -> None:
        command = add(thread, "ann", user) if joins else remove(thread, "ann", user)
        said = self.run(self.stand.ledger.apply(command))
        if said.answer(command)["type"] == "ack":
            (self.model.members[thread].add if joins else self.model.members[thread].discard)(user)
        self.announced(said, True)

    def announced(self, said: Said, at_once: bool) -> None:
        if at_once:
            self.run(self.stand.index_events(said))
        else:
            self.late.append(said)

    @rule(backwards=st.booleans())
    def catch_up(self, backwards: bool) -> None:
        """What came late is indexed, in any order; everything that was said may be found then."""
        for said in reversed(self.late) if backwards else self.late:
            self.run(self.stand.index_events(said))
        self.late = []
        self.everything_is_found()

    @rule()
    def rebuild(self) -> None:
        async def all_of_it() -> None:
            await self.stand.index.begin_rebuild()
            while await self.stand.index.rebuild_step(2) is not None:
                pass

        self.run(all_of_it())
        self.everything_is_found()
        self.late = []

    def everything_is_found(self) -> None:
        for few in (1_000, -1):
            search_hits.FEW = few  # type: ignore[misc]
            for user in USERS:
                for word in WORDS:
                    for text in (word, f"{word} "):
                        expected = self.model.found(user, word, prefix=text == word)
                        ids = self.run(self.stand.ids(user, text, limit=3))
                        assert sorted(ids) == sorted(expected), (user, text)

    @invariant()
    def nothing_is_found_that_is_not_there(self) -> None:
        ids = self.run(self.stand.ids("bob", "oak "))
        assert len(ids) == len(set(ids))
        assert set(ids) <= self.model.found("bob", "oak", prefix=False)


def test_search_agrees_with_its_model(ledger_database: Database) -> None:
    few = search_hits.FEW
    with asyncio.Runner() as runner:
        store = PostgresStore(ledger_database.dsn)
        index = runner.run(SearchIndex.open(ledger_database.dsn, "simple"))
        try:
            run_state_machine_as_test(
                lambda: SearchMachine(SearchStand(Ledger(store), index), runner),
                settings=settings(
                    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
                ),
            )
        finally:
            search_hits.FEW = few  # type: ignore[misc]
            runner.run(index.close())
            runner.run(store.close())

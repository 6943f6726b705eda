"""Who hears of whom, against a model that keeps everything."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import PRESENCE_MEMBERS_MAX
from chatterbus_gateway.presence.watches import Watches
from tests.unit.gateway.presence_fakes import Connected, FollowedBy

T1 = ThreadId("t1")
THREADS = st.sampled_from([ThreadId(f"t{n}") for n in range(3)])
USERS = st.sampled_from([UserId(f"u{n}") for n in range(5)])
WATCHERS = st.integers(0, 6)


def users(*names: str) -> list[UserId]:
    return [UserId(name) for name in names]


class WatchesMachine(RuleBasedStateMachine):
    """The model: a set of members and followers per thread, and for each connection whom it watches. Revs are those of
    a ledger: each change of members has the next one; readings and events may come late and twice."""

    def __init__(self) -> None:
        super().__init__()
        self.watches = Watches()
        self.connections = [Connected(f"u{n % 5}") for n in range(7)]
        self.feeds: dict[ThreadId, FollowedBy] = {}
        self.truth: dict[ThreadId, list[set[UserId]]] = {ThreadId(f"t{n}"): [set()] for n in range(3)}
        self.events: dict[ThreadId, list[tuple[int, UserId, bool]]] = {thread: [] for thread in self.truth}
        self.at: dict[ThreadId, int | None] = {}  # up to which rev the members are known; None: not at all
        self.newest: dict[ThreadId, int] = {}
        self.watched: dict[Connected, frozenset[UserId]] = {}

    @rule(thread=THREADS)
    def opened(self, thread: ThreadId) -> None:
        if thread not in self.feeds:
            self.feeds[thread] = FollowedBy()
            self.watches.open(thread, self.feeds[thread])
            self.at[thread], self.newest[thread] = None, 0

    @rule(thread=THREADS)
    def closed(self, thread: ThreadId) -> None:
        self.watches.close(thread)
        self.feeds.pop(thread, None)

    @rule(thread=THREADS, user=USERS)
    def members_change_and_the_event_comes(self, thread: ThreadId, user: UserId) -> None:
        now = set(self.truth[thread][-1])
        joined = user not in now
        (now.add if joined else now.discard)(user)
        self.truth[thread].append(now)
        self.events[thread].append((len(self.truth[thread]) - 1, user, joined))
        self.event_comes(thread, len(self.events[thread]) - 1)

    @rule(thread=THREADS, index=st.integers(0, 50))
    def event_comes_again(self, thread: ThreadId, index: int) -> None:
        if self.events[thread]:
            index %= len(self.events[thread])
            # Repetitions come in order too: one that leaves out another is a lost event, and others look for those.
            if self.events[thread][index][0] <= self.newest.get(thread, 0) + 1:
                self.event_comes(thread, index)

    def event_comes(self, thread: ThreadId, index: int) -> None:
        rev, user, joined = self.events[thread][index]
        self.watches.move(thread, rev, user, joined=joined)
        if thread in self.feeds and rev > self.newest[thread]:
            self.newest[thread] = rev
            if self.at[thread] is not None:
                self.at[thread] = rev

    @rule(thread=THREADS, late=st.integers(0, 3))
    def members_are_read(self, thread: ThreadId, late: int) -> None:
        rev = max(len(self.truth[thread]) - 1 - late, 0)
        self.watches.read(thread, rev, self.truth[thread][rev])
        if thread in self.feeds and rev >= self.newest[thread]:
            self.at[thread] = self.newest[thread] = rev

    @precondition(lambda self: self.feeds)
    @rule(thread=THREADS, number=WATCHERS)
    def follows_or_leaves(self, thread: ThreadId, number: int) -> None:
        if thread in self.feeds:
            connection, live = self.connections[number], list(self.feeds[thread].live)
            (live.remove if connection in live else live.append)(connection)
            self.feeds[thread].live = live

    @rule(number=WATCHERS, chosen=st.frozensets(USERS))
    def watches_others(self, number: int, chosen: frozenset[UserId]) -> None:
        connection = self.connections[number]
        chosen -= {connection.user_id}
        gone = self.watches.watch(connection, chosen)
        assert gone == self.watched.get(connection, frozenset()) - chosen
        self.watched[connection] = chosen

    @invariant()
    def everybody_hears_of_whom_they_may_and_of_nobody_else(self) -> None:
        for number in range(5):
            user = UserId(f"u{number}")
            expected = {connection for connection, chosen in self.watched.items() if user in chosen}
            for thread, feed in self.feeds.items():
                at = self.at[thread]
                if at is not None and user in self.truth[thread][at]:
                    expected |= set(feed.live)
            expected = {connection for connection in expected if connection.user_id != user}
            hearers = self.watches.hearers(user)
            assert set(hearers) == expected
            assert len(hearers) == len(expected), "each once"
            assert self.watches.is_watched(user) == bool(expected)
        for thread in self.feeds:
            assert self.watches.knows(thread) == (self.at[thread] is not None)

    def teardown(self) -> None:
        for thread in self.truth:
            self.watches.close(thread)
        for connection in self.connections:
            self.watches.watch(connection, frozenset())
        assert not self.watches, "the indexes are empty"


TestWatches = WatchesMachine.TestCase
TestWatches.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_removed_member_is_not_heard_of_and_whoever_is_let_go_hears_nothing() -> None:
    watches, anna, bob = Watches(), Connected("anna"), Connected("bob")
    feed = FollowedBy(anna, bob)
    watches.open(T1, feed)
    assert watches.read(T1, 5, users("anna", "bob")) == set(users("anna", "bob"))
    assert watches.hearers(UserId("bob")) == [anna]
    feed.live = [anna]
    assert watches.move(T1, 6, UserId("bob"), joined=False) == {"bob"}
    assert watches.hearers(UserId("bob")) == watches.hearers(UserId("anna")) == []


def test_a_reading_that_is_older_than_a_removal_does_not_bring_the_member_back() -> None:
    watches, anna = Watches(), Connected("anna")
    watches.open(T1, FollowedBy(anna))
    watches.move(T1, 6, UserId("bob"), joined=False)
    assert watches.read(T1, 5, users("anna", "bob")) == set()
    assert not watches.knows(T1)
    watches.read(T1, 6, users("anna"))
    assert watches.knows(T1)
    assert watches.hearers(UserId("bob")) == []


def test_presence_is_not_told_in_threads_over_the_limit_and_is_again_once_they_are_read_anew() -> None:
    watches, anna = Watches(), Connected("anna")
    watches.open(T1, FollowedBy(anna))
    many = users("anna", *[f"u{n}" for n in range(PRESENCE_MEMBERS_MAX)])
    watches.read(T1, 1, many[:-1])
    assert watches.hearers(UserId("u0")) == [anna]
    watches.move(T1, 2, many[-1], joined=True)
    assert (watches.hearers(UserId("u0")), watches.members(T1)) == ([], set())
    watches.move(T1, 3, many[-1], joined=False)
    assert watches.hearers(UserId("u0")) == []
    watches.read(T1, 3, many[:-1])
    assert watches.hearers(UserId("u0")) == [anna]
    watches.read(T1, 4, many)
    assert not watches.is_watched(UserId("u0"))

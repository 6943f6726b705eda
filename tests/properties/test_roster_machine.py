"""P3: whatever is lost, doubled, late or dead, the roster and the status end where the connections are.

The machine runs gateways that join, move, die and restart, over a network that loses, doubles and reorders, and a
notifier of roster and status alone. Connection ids name the incarnation, so a stale one that wins is seen at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.presence import Connections, ConnectionsChanged, Lease
from chatterbus_contracts.subjects import slot_of
from chatterbus_notifier.presence.roster import (
    ConnectionJoined,
    Devices,
    DevicesChanged,
    Patience,
    Roster,
    RosterEffect,
    SnapshotWanted,
    UserLeft,
)
from chatterbus_notifier.presence.status import (
    Choice,
    Delays,
    Load,
    OwnNotice,
    Persist,
    PublicChange,
    StatusBook,
    StatusEffect,
)
from tests.kit.presence_gateway import ScriptedGateway

GATEWAYS = ("g1", "g2", "g3")
# Two who share a slot, and one who does not.
USERS = ("ann", next(f"bob{n}" for n in range(10_000) if slot_of(f"bob{n}") == slot_of("ann")), "cleo")
SLOTS = sorted({slot_of(user) for user in USERS})
REMEMBERED = 60  # messages that may come again
FATES = st.sampled_from(["arrives", "arrives", "arrives", "travels", "lost"])
PATIENCE = Patience(lease_ttl_s=15, missing_lease_s=8, settle_s=1)
DELAYS = Delays(offline_debounce_s=5, moving_grace_s=15)
STEP_S = 0.5

Message = ConnectionsChanged | Connections


@dataclass
class Observer:
    """One who sees every public frame, drops old versions, and believes the rest."""

    status: dict[str, str] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)

    def see(self, change: PublicChange) -> None:
        assert change.version > self.version.get(change.user_id, 0), "a version was used twice, or fell"
        assert (change.last_seen_ms is not None) is (change.status == "offline")
        self.version[change.user_id] = change.version
        self.status[change.user_id] = change.status


class RosterMachine(RuleBasedStateMachine):
    """The world: gateways, network, bucket of leases, clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0
        self.numbers = count(1)
        self.alive: dict[str, ScriptedGateway] = {}
        self.incarnations: dict[str, int] = {}
        self.draining: set[str] = set()
        self.flight: list[Message] = []
        self.past: list[Message] = []  # what was said, to come again at any time
        self.bucket: dict[str, tuple[Lease, int, float]] = {}
        self.kept: dict[str, tuple[Choice, int | None, int]] = {}
        self.loads: list[UserId] = []
        self.link_is_up = True
        self.someone_moved = False
        self.heard: dict[str, int] = {}  # the newest incarnation that the roster was told of
        self.present: set[str] = set()  # users, as the audience was told
        self.observer = Observer()
        self.roster = Roster(SLOTS, PATIENCE)
        self.book = StatusBook(DELAYS, count(1).__next__)

    @property
    def now_ms(self) -> int:
        return round(self.now_s * 1000)

    # --- gateways ----------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(GATEWAYS))
    def start(self, name: str) -> None:
        """A new process; whatever had this id is dead."""
        self.incarnations[name] = self.incarnations.get(name, 0) + 1
        self.alive[name] = ScriptedGateway(GatewayId(name), self.incarnations[name])
        self.write_lease(name)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Without a word."""
        del self.alive[data.draw(st.sampled_from(sorted(self.alive)))]

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        """All are sent elsewhere."""
        gateway = self.alive[data.draw(st.sampled_from(sorted(self.alive)))]
        gateway.draining = self.someone_moved = True
        self.write_lease(gateway.gateway_id)
        for connection_id in list(gateway.connections):
            self.send(gateway.leave(connection_id, moving=True))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), user=st.sampled_from(USERS), state=st.sampled_from(["active", "away"]), fate=FATES)
    def join(self, data: st.DataObject, user: str, state: Literal["active", "away"], fate: str) -> None:
        gateway = self.alive[data.draw(st.sampled_from(sorted(self.alive)))]
        connection_id = f"{gateway.gateway_id}.{gateway.incarnation}.{next(self.numbers)}"
        self.send(gateway.join(user, connection_id, state), fate)

    @precondition(lambda self: any(gateway.connections for gateway in self.alive.values()))
    @rule(data=st.data(), state=st.sampled_from(["active", "away", None]), fate=FATES)
    def change_or_leave(self, data: st.DataObject, state: Literal["active", "away"] | None, fate: str) -> None:
        gateway = self.alive[data.draw(st.sampled_from(sorted(n for n, g in self.alive.items() if g.connections)))]
        connection_id = data.draw(st.sampled_from(sorted(gateway.connections)))
        if state is None:
            self.send(gateway.leave(connection_id), fate)
        else:
            self.send(gateway.join(gateway.connections[connection_id].user_id, connection_id, state), fate)

    def write_lease(self, name: str) -> None:
        self.bucket[name] = (self.alive[name].lease(), next(self.numbers), self.now_s)

    # --- network -----------------------------------------------------------------------------------------------------

    def send(self, message: Message, fate: str = "travels") -> None:
        self.past = [*self.past[-REMEMBERED:], message]
        if self.link_is_up and fate == "arrives":
            self.arrive(message)
        elif self.link_is_up and fate == "travels":
            self.flight.append(message)

    @precondition(lambda self: self.past and self.link_is_up)
    @rule(data=st.data())
    def come_again(self, data: st.DataObject) -> None:
        """However late."""
        self.arrive(data.draw(st.sampled_from(self.past)))

    @precondition(lambda self: self.link_is_up)
    @rule()
    def learn(self) -> None:
        """A poll, and answers that come at once."""
        self.poll()
        for gateway in self.alive.values():
            slots = [slot for slot, _ in self.roster.wanted(gateway.gateway_id)]
            if slots:
                self.arrive(gateway.snapshot(slots))

    @precondition(lambda self: self.flight)
    @rule(data=st.data(), what=st.sampled_from(["deliver", "deliver", "deliver", "double", "lose"]))
    def network(self, data: st.DataObject, what: str) -> None:
        """In any order."""
        at = data.draw(st.integers(0, len(self.flight) - 1))
        message = self.flight[at] if what == "double" else self.flight.pop(at)
        if what != "lose":
            self.arrive(message)

    @rule()
    def deliver_all(self) -> None:
        while self.flight:
            self.arrive(self.flight.pop(0))

    def arrive(self, message: Message) -> None:
        # The shell gives an answer 2 s; a change can not be later than a link that is alive, some seconds.
        self.heard[message.gateway_id] = max(self.heard.get(message.gateway_id, 0), message.incarnation)
        if isinstance(message, Connections):
            self.take(self.roster.snapshot(message, self.now_s))
        else:
            self.take(self.roster.change(message, self.now_s))

    @precondition(lambda self: self.link_is_up)
    @rule()
    def poll(self) -> None:
        """As leases.py does."""
        for name, (lease, revision, written_s) in list(self.bucket.items()):
            if self.now_s - written_s > PATIENCE.lease_ttl_s:
                del self.bucket[name]
                continue
            self.heard[name] = max(self.heard.get(name, 0), lease.incarnation)
            self.take(self.roster.lease(lease, revision, self.now_s))
        for gateway_id in set(self.roster.gateways) - set(self.bucket):
            self.roster.lease_missing(gateway_id, self.now_s)

    @precondition(lambda self: self.link_is_up)
    @rule()
    def answer(self) -> None:
        """Gateways that are asked put their answers on the way."""
        for gateway in self.alive.values():
            slots = [slot for slot, _ in self.roster.wanted(gateway.gateway_id)]
            if slots:
                self.send(gateway.snapshot(slots))

    @rule()
    def lose_the_bucket(self) -> None:
        self.bucket.clear()

    @precondition(lambda self: self.link_is_up)
    @rule()
    def lose_the_link(self) -> None:
        self.link_is_up = False
        self.flight.clear()
        self.roster.link_lost()
        self.book.link_lost()

    @precondition(lambda self: not self.link_is_up)
    @rule()
    def find_the_link(self) -> None:
        self.link_is_up = True
        self.book.link_found(self.now_s)
        self.take(self.roster.link_found(self.now_s))

    # --- users, time -------------------------------------------------------------------------------------------------

    @rule(user=st.sampled_from(USERS), choice=st.sampled_from(["online", "dnd", "invisible"]))
    def choose(self, user: str, choice: Choice) -> None:
        kept = self.kept.get(user, ("online", None, 0))
        self.kept[user] = (choice, kept[1], kept[2])
        self.take(self.book.choose(UserId(user), choice, self.now_s, self.now_ms)[1])

    @rule()
    def load(self) -> None:
        for user_id in self.loads:
            kept = self.kept.get(user_id, ("online", None, 0))
            self.take(self.book.loaded(user_id, *kept, self.now_s, self.now_ms))
        self.loads.clear()

    @rule(seconds=st.sampled_from([0.5, 1, 3, 6, 12, 20]), refreshed=st.booleans())
    def wait(self, seconds: float, refreshed: bool) -> None:
        for step in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            if refreshed and step % 10 == 0:
                for name in self.alive:
                    self.write_lease(name)
            self.take(self.roster.tick(self.now_s))
            while self.book.is_due(self.now_s):
                self.take(self.book.tick(self.now_s))
        # What is on its way for longer than a link can hold it does not come.
        if seconds >= 12:
            self.flight.clear()

    @rule()
    def quiet_shows_the_truth(self) -> None:
        """All heals, nothing more happens: within the life of a lease and the debounce everybody sees what is."""
        if not self.link_is_up:
            self.find_the_link()
        self.flight.clear()
        grace_s = DELAYS.moving_grace_s if self.someone_moved else DELAYS.offline_debounce_s
        until_s = self.now_s + PATIENCE.lease_ttl_s + grace_s + STEP_S
        steps = 0
        while self.now_s < until_s:
            if steps % 8 == 0:
                for name in self.alive:
                    self.write_lease(name)
            if steps % 4 == 0:
                self.poll()
            self.answer()
            self.deliver_all()
            self.load()
            self.wait(STEP_S, False)
            steps += 1
        for user in USERS:
            assert self.roster.devices(user) == self.merged(user), user
            assert self.observer.status.get(user, "offline") == self.expected(user), user
        assert set(self.book.visible(None, 10)) == {user for user in USERS if self.expected(user) != "offline"}
        assert set(self.roster.gateways) == set(self.alive)

    def teardown(self) -> None:
        self.quiet_shows_the_truth()

    # --- the naive model ---------------------------------------------------------------------------------------------

    def merged(self, user: str) -> Devices | None:
        states = {
            device.state
            for gateway in self.alive.values()
            for device in gateway.connections.values()
            if device.user_id == user
        }
        return "active" if "active" in states else "away" if states else None

    def expected(self, user: str) -> str:
        devices, choice = self.merged(user), self.kept.get(user, ("online", None, 0))[0]
        if devices is None or choice == "invisible":
            return "offline"
        return "dnd" if choice == "dnd" else {"active": "online", "away": "away"}[devices]

    @invariant()
    def the_audience_knows_who_has_a_connection(self) -> None:
        assert self.present == {user for user in USERS if self.roster.devices(user) is not None}

    # --- the shell ---------------------------------------------------------------------------------------------------

    def take(self, effects: list[RosterEffect] | list[StatusEffect]) -> None:
        for effect in effects:
            match effect:
                case ConnectionJoined(user_id, connection_id):
                    name, incarnation, _ = connection_id.split(".")
                    assert int(incarnation) >= self.heard[name], "a stale incarnation won"
                    self.present.add(user_id)
                    self.take(self.book.joined(user_id, connection_id))
                case UserLeft(user_id):
                    self.present.remove(user_id)
                case DevicesChanged():
                    self.take(self.book.devices_changed(effect, self.now_s, self.now_ms))
                case Load(user_id):
                    self.loads.append(user_id)
                case Persist(user_id, choice, last_seen_ms, version):
                    known = self.kept.get(user_id)
                    self.kept[user_id] = (known[0] if known else choice, last_seen_ms, version)
                case PublicChange():
                    self.observer.see(effect)
                case SnapshotWanted() | OwnNotice():
                    pass


def test_after_quiet_everybody_sees_the_merge_over_living_connections() -> None:
    run_state_machine_as_test(
        RosterMachine,
        settings=settings(
            max_examples=250, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


# --- invisible is gone -----------------------------------------------------------------------------------------------

Move = tuple[Literal["devices"], Devices | None, bool] | tuple[Literal["choose"], Choice] | tuple[Literal["wait"], int]

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("devices"), st.sampled_from(["active", "away", None]), st.booleans()),
        st.tuples(st.just("choose"), st.sampled_from(["online", "dnd", "invisible", "invisible"])),
        st.tuples(st.just("wait"), st.integers(1, 12)),
    ),
    max_size=30,
)


class Seen:
    """A book with one user, and what an observer notes of it."""

    def __init__(self) -> None:
        self.book = StatusBook(DELAYS, count(1).__next__)
        self.devices: Devices | None = None
        self.kept: tuple[Choice, int | None, int] = ("online", None, 0)
        self.noted: list[tuple[float, str, int | None]] = []

    def move(self, devices: Devices | None, moving: bool, now_s: float) -> None:
        if devices != self.devices:
            self.devices = devices
            change = DevicesChanged(UserId("ann"), devices, moving)
            self.take(self.book.devices_changed(change, now_s, round(now_s * 1000)), now_s)

    def choose(self, choice: Choice, now_s: float) -> None:
        self.kept = (choice, *self.kept[1:])
        self.take(self.book.choose(UserId("ann"), choice, now_s, round(now_s * 1000))[1], now_s)

    def take(self, effects: list[StatusEffect], now_s: float) -> None:
        for effect in effects:
            match effect:
                case Load(user_id):
                    self.take(self.book.loaded(user_id, *self.kept, now_s, round(now_s * 1000)), now_s)
                case Persist(_, _, last_seen_ms, version):
                    self.kept = (self.kept[0], last_seen_ms, version)
                case PublicChange(_, status, last_seen_ms, _):
                    self.noted.append((now_s, status, last_seen_ms))

    @property
    def answered(self) -> tuple[str, int | None]:
        """To one who asks."""
        known = self.book.public(UserId("ann"))
        return ("offline", self.kept[1]) if known is None else (known.status, known.last_seen_ms)


@settings(max_examples=400, deadline=None)
@given(MOVES)
def test_an_invisible_user_is_seen_as_one_who_disconnected_whatever_happens(moves: list[Move]) -> None:
    """Beside each other: a user who becomes invisible, and one who then has no device until choosing otherwise."""
    hiding, leaving, now_s = Seen(), Seen(), 1_000.0
    for move in moves:
        match move:
            case ("devices", devices, moving):
                hiding.move(devices, moving, now_s)
                if hiding.kept[0] != "invisible":
                    leaving.move(devices, moving, now_s)
            case ("choose", choice):
                hiding.choose(choice, now_s)
                if choice == "invisible":
                    leaving.move(None, False, now_s)
                else:
                    leaving.choose(choice, now_s)
                    leaving.move(hiding.devices, False, now_s)
            case ("wait", seconds):
                for _ in range(seconds * 2):
                    now_s += STEP_S
                    for seen in (hiding, leaving):
                        seen.take(seen.book.tick(now_s), now_s)
                    assert hiding.answered == leaving.answered
        assert hiding.noted == leaving.noted

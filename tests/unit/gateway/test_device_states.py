"""What a gateway says of its connections: whoever listens knows them, or knows that it does not."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.subjects import USER_SLOTS, slot_of
from chatterbus_gateway.presence import device_states
from chatterbus_gateway.presence.device_states import DeviceStates
from tests.kit.connections_receiver import ConnectionsReceiver

ANNA = UserId("anna")
G1 = GatewayId("g1")


def states_of(*connections: str) -> DeviceStates:
    states = DeviceStates(G1, 7)
    for connection_id in connections:
        states.put(connection_id, ANNA, away=False)
    return states


def test_a_slot_where_nothing_happened_is_not_told() -> None:
    states = states_of("c1")
    assert [change.slot for change in states.take()] == [slot_of(ANNA)]
    assert states.take() == []


def test_the_same_state_again_is_no_change() -> None:
    states = states_of("c1")
    states.take()
    states.put("c1", ANNA, away=False)
    assert states.take() == []


def test_of_several_turns_between_two_takes_the_last_is_told() -> None:
    states = states_of("c1")
    states.put("c1", ANNA, away=True)
    states.put("c1", ANNA, away=False)
    states.put("c1", ANNA, away=True)
    (change,) = states.take()
    assert [(device.connection_id, device.state) for device in change.here] == [("c1", "away")]
    assert (change.version, change.count, change.left) == (1, 1, [])


def test_who_came_and_went_between_two_takes_is_told_as_left_and_takes_a_version() -> None:
    states = states_of("c1", "c2")
    states.remove("c1", ANNA, moving=True)
    (change,) = states.take()
    assert [device.connection_id for device in change.here] == ["c2"]
    assert [(left.connection_id, left.user_id, left.moving) for left in change.left] == [("c1", "anna", True)]
    assert (change.version, change.count) == (1, 1)


def test_who_was_never_there_does_not_leave() -> None:
    states = states_of()
    assert not states.remove("c1", ANNA, moving=False)
    assert states.take() == []


def test_a_full_slot_says_so_at_its_bound_and_not_before() -> None:
    states = states_of()
    full = [states.put(f"c{n}", ANNA, away=False) for n in range(device_states.GATHERED_MAX)]
    assert full == [False] * (device_states.GATHERED_MAX - 1) + [True]
    states.take()
    assert not states.remove("c0", ANNA, moving=False)


def test_the_largest_change_fits_into_a_nats_message() -> None:
    user_id = UserId("u" * 128)
    states = DeviceStates(GatewayId("g" * 128), 2**53 - 1)
    for n in range(device_states.GATHERED_MAX):
        states.put(f"{'c' * 20}-{n}", user_id, away=False)
    (change,) = states.take()
    assert len(change.model_dump_json(by_alias=True)) < 512 * 1024


def test_a_snapshot_names_each_asked_slot_once_the_empty_ones_too() -> None:
    states = states_of("c1")
    states.take()
    slot, empty = slot_of(ANNA), (slot_of(ANNA) + 1) % USER_SLOTS
    answer = states.snapshot([slot, empty, slot])
    assert [(of.slot, of.version, len(of.connections)) for of in answer.slots] == [(slot, 1, 1), (empty, 0, 0)]


def test_an_incarnation_outlives_what_was_found_and_never_falls() -> None:
    states = states_of()
    states.outlive(3)
    assert states.incarnation == 7
    states.outlive(7)
    assert states.lease(draining=False).incarnation == 8


class Telling(RuleBasedStateMachine):
    """A gateway, and two who listen: to one every change comes, to the other what the network lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.states = DeviceStates(G1, 1)
        self.truth: dict[str, tuple[str, str]] = {}
        self.faithful = ConnectionsReceiver()
        self.lossy = ConnectionsReceiver()
        self.numbers = 0
        self.told = True

    @rule(user=st.integers(0, 5), away=st.booleans())
    def connect(self, user: int, away: bool) -> None:
        self.numbers += 1
        self._put(f"c{self.numbers}", f"user{user}", away)

    @rule(data=st.data(), away=st.booleans())
    def turn(self, data: st.DataObject, away: bool) -> None:
        if self.truth:
            connection_id = data.draw(st.sampled_from(sorted(self.truth)))
            self._put(connection_id, self.truth[connection_id][0], away)

    @rule(data=st.data(), moving=st.booleans())
    def disconnect(self, data: st.DataObject, moving: bool) -> None:
        if self.truth:
            connection_id = data.draw(st.sampled_from(sorted(self.truth)))
            user_id, _ = self.truth.pop(connection_id)
            self.states.remove(connection_id, UserId(user_id), moving=moving)
            self.told = False

    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        for change in self.states.take():
            self.faithful.apply(change)
            if data.draw(st.booleans()):
                self.lossy.apply(change)
        self.told = True

    @rule(data=st.data())
    def show_the_lease(self, data: st.DataObject) -> None:
        self.tell(data)
        self.lossy.compare(self.states.lease(draining=False))
        self.lossy.replace(self.states.snapshot(self.lossy.doubted))
        assert self.lossy.devices == self.truth

    @rule(data=st.data())
    def begin_another_incarnation(self, data: st.DataObject) -> None:
        self.tell(data)
        self.states.outlive(self.states.incarnation)
        self.faithful.replace(self.states.snapshot(range(USER_SLOTS)))

    @invariant()
    def who_heard_everything_knows_everything(self) -> None:
        assert not self.faithful.doubted
        if self.told:
            assert self.faithful.devices == self.truth

    @invariant()
    def who_knows_the_numbers_of_the_lease_knows_everything(self) -> None:
        if self.told:
            known = list(zip(self.lossy.versions, map(len, self.lossy.slots), strict=True))
            if known == self.states.lease(draining=False).slots and self.lossy.incarnation == self.states.incarnation:
                assert self.lossy.devices == self.truth

    def _put(self, connection_id: str, user_id: str, away: bool) -> None:
        self.states.put(connection_id, UserId(user_id), away=away)
        self.truth[connection_id] = (user_id, "away" if away else "active")
        self.told = False


TestTelling = Telling.TestCase
TestTelling.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

"""The roster believes what is numbered, and asks where a number is missing."""

from __future__ import annotations

from chatterbus_contracts.ids import ConnectionId, GatewayId, UserId
from chatterbus_contracts.presence import ConnectedDevice
from chatterbus_contracts.subjects import USER_SLOTS, slot_of
from chatterbus_notifier.presence.roster import (
    ConnectionJoined,
    DevicesChanged,
    Patience,
    Roster,
    RosterEffect,
    SnapshotWanted,
    UserLeft,
)
from tests.kit.presence_gateway import ScriptedGateway

PATIENCE = Patience(lease_ttl_s=15, missing_lease_s=8, settle_s=1)
ALICE = UserId("alice")
SLOT = slot_of("alice")
SAME_SLOT = next(f"user-{n}" for n in range(10_000) if slot_of(f"user-{n}") == SLOT)


class Stand:
    """A roster and gateways that answer it; `now_s` moves by hand."""

    def __init__(self, slots: range = range(USER_SLOTS)) -> None:
        self.roster = Roster(slots, PATIENCE)
        self.now_s = 100.0
        self.revision = 0

    def gateway(self, name: str = "g1", incarnation: int = 1) -> ScriptedGateway:
        """One whose lease and snapshot have come."""
        gateway = ScriptedGateway(GatewayId(name), incarnation)
        self.lease(gateway)
        self.answer(gateway)
        return gateway

    def lease(self, gateway: ScriptedGateway) -> list[RosterEffect]:
        self.revision += 1
        return self.roster.lease(gateway.lease(), self.revision, self.now_s)

    def answer(self, gateway: ScriptedGateway) -> list[RosterEffect]:
        slots = [slot for slot, _ in self.roster.wanted(gateway.gateway_id)]
        return self.roster.snapshot(gateway.snapshot(slots), self.now_s)

    def wanted(self, gateway: ScriptedGateway) -> list[int]:
        return [slot for slot, _ in self.roster.wanted(gateway.gateway_id)]

    def after(self, seconds: float) -> list[RosterEffect]:
        self.now_s += seconds
        return self.roster.tick(self.now_s)


def test_a_join_is_told_as_a_connection_and_as_devices() -> None:
    stand = Stand()
    gateway = stand.gateway()
    assert stand.roster.change(gateway.join("alice", "c1"), stand.now_s) == [
        ConnectionJoined(ALICE, ConnectionId("c1")),
        DevicesChanged(ALICE, "active", moving=False),
    ]


def test_the_last_connection_that_leaves_is_told_with_whether_it_moves() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    stand.roster.change(gateway.join("alice", "c2"), stand.now_s)
    assert stand.roster.change(gateway.leave("c1"), stand.now_s) == []
    assert stand.roster.change(gateway.leave("c2", moving=True), stand.now_s) == [
        DevicesChanged(ALICE, None, moving=True),
        UserLeft(ALICE),
    ]


def test_one_active_device_makes_the_user_active_and_only_the_merge_is_told() -> None:
    stand = Stand()
    one, other = stand.gateway("g1"), stand.gateway("g2")
    stand.roster.change(one.join("alice", "c1", "away"), stand.now_s)
    assert stand.roster.devices("alice") == "away"
    effects = stand.roster.change(other.join("alice", "c2"), stand.now_s)
    assert DevicesChanged(ALICE, "active", moving=False) in effects
    assert stand.roster.change(one.join("alice", "c1", "active"), stand.now_s) == []
    assert stand.roster.change(other.join("alice", "c2", "away"), stand.now_s) == []
    assert stand.roster.change(one.join("alice", "c1", "away"), stand.now_s) == [
        DevicesChanged(ALICE, "away", moving=False)
    ]


def test_a_connection_that_came_and_went_in_one_change_is_not_told() -> None:
    stand = Stand()
    gateway = stand.gateway()
    joined = gateway.join("alice", "c1")
    left = gateway.leave("c1")
    both = left.model_copy(update={"version": 1, "here": joined.here})
    assert stand.roster.change(both, stand.now_s) == []


def test_doubled_and_late_changes_do_nothing() -> None:
    stand = Stand()
    gateway = stand.gateway()
    joined = gateway.join("alice", "c1")
    left = gateway.leave("c1")
    for change in (joined, left):
        stand.roster.change(change, stand.now_s)
    for change in (left, joined, joined):
        assert stand.roster.change(change, stand.now_s) == []
    assert stand.roster.devices("alice") is None


def test_a_hole_asks_for_that_slot_and_the_snapshot_fills_it() -> None:
    stand = Stand()
    gateway = stand.gateway()
    gateway.join("alice", "c1")
    after_hole = gateway.join(SAME_SLOT, "c2")
    assert stand.roster.change(after_hole, stand.now_s) == [SnapshotWanted(gateway.gateway_id)]
    assert stand.wanted(gateway) == [SLOT]
    stand.answer(gateway)
    assert stand.wanted(gateway) == []
    assert stand.roster.devices("alice") == stand.roster.devices(SAME_SLOT) == "active"


def test_a_hole_that_leaves_the_count_right_asks_too() -> None:
    stand = Stand()
    gateway = stand.gateway()
    for user, connection_id in (("alice", "c1"), (SAME_SLOT, "c2")):
        stand.roster.change(gateway.join(user, connection_id), stand.now_s)
    gateway.join("alice", "c1", "away")  # lost
    effects = stand.roster.change(gateway.join(SAME_SLOT, "c2", "away"), stand.now_s)
    assert effects == [SnapshotWanted(gateway.gateway_id)]
    stand.answer(gateway)
    assert stand.roster.devices("alice") == "away"


def test_a_wrong_count_asks_for_that_slot() -> None:
    stand = Stand()
    gateway = stand.gateway()
    change = gateway.join("alice", "c1").model_copy(update={"count": 2})
    assert SnapshotWanted(gateway.gateway_id) in stand.roster.change(change, stand.now_s)
    assert stand.wanted(gateway) == [SLOT]


def test_a_snapshot_older_than_what_was_heard_is_not_enough() -> None:
    stand = Stand()
    gateway = stand.gateway()
    gateway.join("alice", "c1")
    stale = gateway.snapshot([SLOT])
    gateway.join(SAME_SLOT, "c2")
    stand.roster.change(gateway.join(SAME_SLOT, "c2", "away"), stand.now_s)
    stand.roster.snapshot(stale, stand.now_s)
    assert stand.wanted(gateway) == [SLOT]


def test_a_snapshot_older_than_what_was_applied_is_void() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stale = gateway.snapshot([SLOT])
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    assert stand.roster.snapshot(stale, stand.now_s) == []
    assert stand.roster.devices("alice") == "active"


def test_a_lease_that_knows_more_is_given_a_second_before_it_asks() -> None:
    stand = Stand()
    gateway = stand.gateway()
    late = gateway.join("alice", "c1")
    assert stand.lease(gateway) == []
    assert stand.after(0.9) == []
    assert stand.after(0.2) == [SnapshotWanted(gateway.gateway_id)]
    stand.roster.change(late, stand.now_s)
    stand.answer(gateway)
    assert stand.roster.devices("alice") == "active"


def test_a_change_that_comes_in_that_second_clears_the_doubt() -> None:
    stand = Stand()
    gateway = stand.gateway()
    change = gateway.join("alice", "c1")
    stand.lease(gateway)
    stand.roster.change(change, stand.now_s)
    assert stand.after(2) == []


def test_nothing_is_built_on_a_gateway_that_has_not_told_who_is_there() -> None:
    stand = Stand()
    gateway = ScriptedGateway(GatewayId("g1"))
    assert stand.roster.change(gateway.join("alice", "c1"), stand.now_s) == [SnapshotWanted(gateway.gateway_id)]
    assert not stand.roster.is_known
    assert stand.wanted(gateway) == list(range(USER_SLOTS))
    stand.answer(gateway)
    assert stand.roster.is_known
    assert stand.roster.devices("alice") == "active"


def test_a_lease_that_is_not_renewed_ends_all_connections() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    revision = stand.revision
    stand.now_s += 10
    stand.roster.lease(gateway.lease(), revision, stand.now_s)  # read again, not written again
    assert stand.after(4.9) == []
    assert stand.after(0.2) == [DevicesChanged(ALICE, None, moving=False), UserLeft(ALICE)]
    assert stand.roster.gateways == []


def test_a_lease_that_has_ended_and_is_still_in_the_bucket_does_not_revive_its_gateway() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.after(16)
    assert stand.roster.lease(gateway.lease(), stand.revision, stand.now_s) == []
    assert stand.roster.gateways == []
    assert stand.lease(gateway) == [SnapshotWanted(gateway.gateway_id)]  # written again: it lives


def test_a_renewed_lease_keeps_them() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    for _ in range(5):
        assert stand.after(14) == []
        stand.lease(gateway)
    assert stand.roster.devices("alice") == "active"


def test_a_lease_that_is_gone_from_the_bucket_ends_sooner_unless_it_is_written_again() -> None:
    stand = Stand()
    gone, back = stand.gateway("g1"), stand.gateway("g2")
    stand.roster.change(gone.join("alice", "c1"), stand.now_s)
    for gateway in (gone, back):
        stand.roster.lease_missing(gateway.gateway_id, stand.now_s)
    stand.after(5)
    stand.lease(back)
    assert UserLeft(ALICE) in stand.after(3)
    assert stand.roster.gateways == [GatewayId("g2")]


def test_connections_of_a_draining_gateway_that_dies_are_moving() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    gateway.draining = True
    stand.lease(gateway)
    assert DevicesChanged(ALICE, None, moving=True) in stand.after(16)


def test_a_newer_incarnation_voids_the_older_and_an_older_one_never_wins() -> None:
    stand = Stand()
    old = stand.gateway()
    stand.roster.change(old.join("alice", "c1"), stand.now_s)
    new = ScriptedGateway(old.gateway_id, incarnation=2)
    assert stand.lease(new) == [
        DevicesChanged(ALICE, None, moving=False),
        UserLeft(ALICE),
        SnapshotWanted(new.gateway_id),
    ]
    stand.answer(new)
    assert stand.roster.change(old.join("alice", "c2"), stand.now_s) == []
    assert stand.lease(old) == []
    assert stand.roster.snapshot(old.snapshot([SLOT]), stand.now_s) == []
    assert stand.roster.devices("alice") is None


def test_an_older_incarnation_does_not_come_back_after_the_newer_has_ended() -> None:
    stand = Stand()
    stand.gateway(incarnation=2)
    stand.after(16)
    old = ScriptedGateway(GatewayId("g1"), incarnation=1)
    assert stand.lease(old) == []
    assert stand.roster.change(old.join("alice", "c1"), stand.now_s) == []


def test_a_gateway_that_was_frozen_past_its_lease_is_asked_again() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    stand.after(16)
    assert stand.lease(gateway) == [SnapshotWanted(gateway.gateway_id)]
    stand.answer(gateway)
    assert stand.roster.devices("alice") == "active"


def test_a_snapshot_of_a_gateway_that_has_ended_is_void() -> None:
    stand = Stand()
    gateway = stand.gateway()
    gateway.join("alice", "c1")
    late = gateway.snapshot([SLOT])
    stand.after(16)
    assert stand.roster.snapshot(late, stand.now_s) == []


def test_no_lease_ends_while_the_link_is_lost_and_then_each_has_its_full_time() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    stand.roster.link_lost()
    assert stand.after(300) == []
    assert stand.roster.link_found(stand.now_s) == [SnapshotWanted(gateway.gateway_id)]
    assert stand.wanted(gateway) == list(range(USER_SLOTS))
    stand.roster.lease_missing(gateway.gateway_id, stand.now_s)  # NATS lost its memory: that says nothing now
    assert stand.after(14.9) == []
    assert UserLeft(ALICE) in stand.after(0.2)


def test_slots_of_other_shards_are_passed_over() -> None:
    stand = Stand(slots=range(SLOT, SLOT + 1))
    gateway = stand.gateway()
    other = next(f"user-{n}" for n in range(10_000) if slot_of(f"user-{n}") != SLOT)
    assert stand.roster.change(gateway.join(other, "c1"), stand.now_s) == []
    stand.lease(gateway)
    assert stand.after(5) == []


def test_a_user_who_moves_within_one_snapshot_has_not_left() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    gateway.leave("c1")
    gateway.join("alice", "c2")
    assert stand.roster.snapshot(gateway.snapshot([SLOT]), stand.now_s) == [ConnectionJoined(ALICE, ConnectionId("c2"))]


def test_a_connection_that_may_have_missed_something_is_told_as_one_that_joined_also_behind_a_hole() -> None:
    stand = Stand()
    gateway = stand.gateway()
    stand.roster.change(gateway.join("alice", "c1"), stand.now_s)
    again = ConnectedDevice(connection_id="c1", user_id=ALICE, state="active", again=True)
    next_change = gateway.join("alice", "c1").model_copy(update={"here": [again]})
    assert stand.roster.change(next_change, stand.now_s) == [ConnectionJoined(ALICE, ConnectionId("c1"))]
    gateway.join(SAME_SLOT, "c2")  # lost
    behind_a_hole = gateway.join("alice", "c1").model_copy(update={"here": [again]})
    effects = stand.roster.change(behind_a_hole, stand.now_s)
    assert ConnectionJoined(ALICE, ConnectionId("c1")) in effects
    assert SnapshotWanted(gateway.gateway_id) in effects

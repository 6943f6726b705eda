"""Telling the notifier: gathered, bounded, and nothing kept for a link that is down."""

from __future__ import annotations

import pytest

from chatterbus_contracts.codec import decode
from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.presence import CONNECTIONS_CHANGED, ConnectionsChanged
from chatterbus_contracts.subjects import USER_SLOTS, connections_subject
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.presence import device_states
from chatterbus_gateway.presence.device_states import DeviceStates
from chatterbus_gateway.presence.reporter import Reporter
from chatterbus_runtime.link_errors import LinkDown
from tests.kit.connections_receiver import ConnectionsReceiver
from tests.kit.waiting import until

G1 = GatewayId("g1")
ANNA, BOB = UserId("anna"), UserId("bob")


class FakeLink:
    def __init__(self) -> None:
        self.changes: list[ConnectionsChanged] = []
        self.is_down = False

    def publish(self, subject: str, payload: bytes) -> None:
        if self.is_down:
            raise LinkDown("not connected to NATS")
        change = decode(CONNECTIONS_CHANGED, payload)
        assert subject == connections_subject(change.slot, G1)
        self.changes.append(change)


class Stand:
    """A reporter and what it publishes."""

    def __init__(self, gather_s: float) -> None:
        self.link = FakeLink()
        self.counts = Counts()
        self.reporter = Reporter(self.link, DeviceStates(G1, 1), self.counts, gather_s=gather_s)

    def heard(self) -> ConnectionsReceiver:
        receiver = ConnectionsReceiver()
        for change in self.link.changes:
            receiver.apply(change)
        return receiver


@pytest.fixture
async def stand() -> Stand:
    return Stand(gather_s=60.0)


async def test_what_happens_is_told_after_the_gathering_without_anybody_asking() -> None:
    stand = Stand(gather_s=0.01)
    stand.reporter.here("c1", ANNA)
    assert stand.link.changes == []
    await until(lambda: stand.heard().states == {"anna": "active"}, 5, "the first change")
    stand.reporter.gone("c1", ANNA, moving=True)
    await until(lambda: len(stand.link.changes) == 2, 5, "the second change")
    assert stand.heard().moving == {"c1": True}


async def test_what_happens_in_one_gathering_is_one_change_a_slot(stand: Stand) -> None:
    for n in range(10):
        stand.reporter.here(f"a{n}", ANNA)
        stand.reporter.here(f"b{n}", BOB)
    stand.reporter.flush()
    assert [change.count for change in stand.link.changes] == [10, 10]
    assert stand.counts.connection_changes == 2


async def test_a_full_slot_is_told_at_once(stand: Stand) -> None:
    for n in range(device_states.GATHERED_MAX):
        stand.reporter.here(f"c{n}", ANNA)
    assert [len(change.here) for change in stand.link.changes] == [device_states.GATHERED_MAX]


async def test_what_a_lease_or_a_snapshot_says_was_published_before(stand: Stand) -> None:
    stand.reporter.here("c1", ANNA)
    lease = stand.reporter.lease(draining=False)
    receiver = stand.heard()
    receiver.compare(lease)
    assert receiver.states == {"anna": "active"}
    assert receiver.doubted == set()
    stand.reporter.here("c1", ANNA, away=True)
    stand.reporter.snapshot([0])
    assert stand.heard().states == {"anna": "away"}


async def test_changes_that_could_not_be_published_are_counted_and_show_in_the_lease(stand: Stand) -> None:
    stand.reporter.here("c1", ANNA)
    stand.reporter.flush()
    stand.link.is_down = True
    stand.reporter.here("c2", ANNA)
    stand.reporter.gone("c1", ANNA, moving=False)
    stand.reporter.flush()
    assert (stand.counts.connection_changes, stand.counts.connection_changes_lost) == (2, 1)
    stand.link.is_down = False
    receiver = stand.heard()
    receiver.compare(stand.reporter.lease(draining=False))
    assert receiver.doubted
    receiver.replace(stand.reporter.snapshot(range(USER_SLOTS)))
    assert set(receiver.devices) == {"c2"}
    assert receiver.doubted == set()

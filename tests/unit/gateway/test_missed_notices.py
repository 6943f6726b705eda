"""A connection that may have missed what its user was told is told again."""

from __future__ import annotations

from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_gateway.outbox import Outbox
from chatterbus_gateway.presence.device_states import DeviceStates

ALICE = UserId("alice")


def test_a_repeat_is_told_with_the_connections_state_and_only_once() -> None:
    states = DeviceStates(GatewayId("g"), 1)
    states.put("c1", ALICE, away=True)
    states.take()
    states.repeat("c1", ALICE)
    ((told,),) = [change.here for change in states.take()]
    assert (told.connection_id, told.state, told.again) == ("c1", "away", True)
    assert states.take() == []


def test_a_change_behind_a_repeat_does_not_hide_it() -> None:
    states = DeviceStates(GatewayId("g"), 1)
    states.put("c1", ALICE, away=True)
    states.take()
    states.repeat("c1", ALICE)
    states.put("c1", ALICE, away=False)
    ((told,),) = [change.here for change in states.take()]
    assert (told.state, told.again) == ("active", True)


def test_a_connection_that_is_gone_is_not_repeated() -> None:
    states = DeviceStates(GatewayId("g"), 1)
    states.put("c1", ALICE, away=False)
    states.remove("c1", ALICE, moving=False)
    states.take()
    states.repeat("c1", ALICE)
    assert states.take() == []


def test_an_outbox_knows_what_it_dropped_and_not_what_something_newer_replaced() -> None:
    outbox = Outbox(ephemeral_max=10)
    outbox.add_ephemeral("unread/a", b"1" * 6)
    outbox.add_ephemeral("unread/a", b"2" * 6)
    assert outbox.dropped == 0
    outbox.add_ephemeral("unread/b", b"3" * 6)
    assert outbox.dropped == 1
    outbox.add_ephemeral("unread_snapshot", b"4" * 11)
    assert outbox.dropped == 2

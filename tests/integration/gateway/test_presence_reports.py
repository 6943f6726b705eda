"""What a gateway reports of its connections over a real NATS."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import Connections
from chatterbus_contracts.subjects import USER_SLOTS, slot_of
from chatterbus_runtime.nats_link import NatsLink
from tests.integration.gateway.conftest import Start
from tests.integration.gateway.presence_stand import WAIT_S, PresenceStand
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until


def people_of(answer: Connections) -> list[tuple[str, str]]:
    return sorted((device.user_id, device.state) for slot in answer.slots for device in slot.connections)


async def heard(stand: PresenceStand, states: dict[str, str]) -> None:
    await until(lambda: stand.states == states, WAIT_S, f"the gateway tells {states}")


@pytest.fixture
async def stand(link: NatsLink) -> PresenceStand:
    return await PresenceStand.listen(link)


async def test_joins_and_leaves_are_told_and_none_of_them_is_missed(stand: PresenceStand, start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_id="g1")
    anna, _bob = await gateway.login("anna"), await gateway.login("bob")
    await heard(stand, {"anna": "active", "bob": "active"})
    await anna.connection.close()
    await heard(stand, {"bob": "active"})
    assert list(stand.receiver.moving.values()) == [False]
    assert stand.receiver.doubted == set()


async def test_a_socket_is_nobodys_before_auth_and_after_a_refused_one(
    stand: PresenceStand, start_gateway: Start
) -> None:
    gateway = await start_gateway(gateway_id="g1", gateway_max_connections_per_user=1)
    await gateway.connect()
    refused = await gateway.connect()
    await gateway.login("anna")
    await refused.say(type="auth", userId="anna")
    await refused.closed()
    await until(lambda: len(gateway.parts.hub) == 2, WAIT_S, "the refused socket is gone")
    await heard(stand, {"anna": "active"})
    assert len(stand.receiver.devices) == 1
    assert people_of(await stand.ask_connections(*range(USER_SLOTS))) == [("anna", "active")]


async def test_a_device_that_sends_nothing_but_pings_goes_away_and_is_back_with_its_next_frame(
    stand: PresenceStand, start_gateway: Start
) -> None:
    gateway = await start_gateway(gateway_id="g1", gateway_away_after_s=0.5)
    anna = await gateway.login("anna")
    await heard(stand, {"anna": "active"})
    for _ in range(2):
        await heard(stand, {"anna": "away"})
        await anna.say(type="ping")
        await anna.hear("pong")
        assert people_of(await stand.ask_connections(slot_of("anna"))) == [("anna", "away")]
        await anna.say(type="typing", threadId="t1")
        await heard(stand, {"anna": "active"})
    assert stand.receiver.doubted == set()


async def test_a_device_that_declares_to_be_away_is_told_so(stand: PresenceStand, start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_id="g1")
    await gateway.login("anna")
    (connection,) = gateway.parts.hub.of_user("anna")
    connection.session.declare(away=True)
    await heard(stand, {"anna": "away"})
    connection.session.declare(away=False)
    await heard(stand, {"anna": "active"})


async def test_a_snapshot_equals_what_was_told(stand: PresenceStand, start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_id="g1")
    clients = [await gateway.login(f"user{n}") for n in range(20)]
    for client in clients[:7]:
        await client.connection.close()
    left = {f"user{n}": "active" for n in range(7, 20)}
    await heard(stand, left)
    answer = await stand.ask_connections(*range(USER_SLOTS))
    assert people_of(answer) == sorted(left.items())
    assert [slot.version for slot in answer.slots] == stand.receiver.versions
    assert answer.incarnation == stand.receiver.incarnation
    assert people_of(await stand.ask_connections(slot_of("user7"))) == sorted(
        (user_id, state) for user_id, state in left.items() if slot_of(user_id) == slot_of("user7")
    )


async def test_who_attends_is_who_follows_the_thread_on_an_active_device(
    stand: PresenceStand, start_gateway: Start
) -> None:
    gateway = await start_gateway(gateway_id="g1")
    anna, bob = await gateway.login("anna"), await gateway.login("bob")
    await gateway.login("cleo")
    for client in (anna, bob):
        await client.say(type="subscribe", threadId="t1")
        await client.hear_until("subscribed")
    everybody = ("anna", "bob", "cleo", "dora", "anna")
    assert await stand.ask_attending("t1", *everybody) == ["anna", "bob"]
    assert await stand.ask_attending("t2", *everybody) == []
    (device,) = gateway.parts.hub.of_user(UserId("anna"))
    device.session.declare(away=True)
    assert await stand.ask_attending("t1", *everybody) == ["bob"]
    await bob.say(type="unsubscribe", threadId="t1")
    await bob.hear_until("unsubscribed")
    assert await stand.ask_attending("t1", *everybody) == []


@pytest.mark.parametrize("what", ["connections", "attending"])
@pytest.mark.parametrize("question", [b"", b"{", b'{"slots": [64], "threadId": "very secret"}'])
async def test_a_malformed_question_is_not_answered_and_its_content_not_logged(
    stand: PresenceStand, start_gateway: Start, what: str, question: bytes
) -> None:
    await start_gateway(gateway_id="g1")
    with capture_logs() as logs:
        with pytest.raises(TimeoutError):
            await stand.ask(what, question, timeout_s=0.2)
        assert await stand.ask_attending("t1", "anna") == []
    (line,) = [line for line in logs if line["event"] == "a question cannot be read"]
    assert "secret" not in str(line)


async def test_who_is_sent_away_by_a_drain_is_moving_and_who_went_before_is_not(
    stand: PresenceStand, start_gateway: Start
) -> None:
    gateway = await start_gateway(gateway_id="g1")
    clients: dict[str, Any] = {name: await gateway.login(name) for name in ("anna", "bob", "cleo")}
    await heard(stand, dict.fromkeys(clients, "active"))
    user_of = {connection_id: user_id for connection_id, (user_id, _) in stand.receiver.devices.items()}
    await clients["anna"].connection.close()
    await heard(stand, {"bob": "active", "cleo": "active"})
    gateway.lifecycle.stop("the test says so")
    await clients["bob"].hear_until("reconnect")
    await clients["bob"].connection.close()  # by itself, as it was told
    assert await clients["cleo"].closed() == 4000
    await until(lambda: gateway.running.done(), 15, "the gateway has ended")
    await heard(stand, {})
    moving = {user_of[connection_id]: moved for connection_id, moved in stand.receiver.moving.items()}
    assert moving == {"anna": False, "bob": True, "cleo": True}


async def test_what_happened_while_nats_was_away_shows_in_the_lease_and_a_snapshot_tells_it(
    stand: PresenceStand, start_gateway: Start, nats_server: NatsServer
) -> None:
    gateway = await start_gateway(gateway_id="g1")
    anna = await gateway.login("anna")
    await gateway.login("bob")
    await heard(stand, {"anna": "active", "bob": "active"})
    nats_server.stop()
    await until(lambda: not gateway.parts._link.is_connected, WAIT_S, "the link is down")
    await anna.connection.close()
    await until(lambda: gateway.parts.counts.connection_changes_lost == 1, WAIT_S, "a change is lost")
    before = len(stand.leases)
    nats_server.start()
    await until(lambda: len(stand.leases) > before, 15, "the lease is back")
    lease = stand.leases[-1]
    assert lease is not None
    assert not stand.receiver.doubted
    stand.receiver.compare(lease)
    # Bob is told again when the link is back, which the stand may be too late to hear: its link was away as well.
    assert {slot_of("anna")} <= stand.receiver.doubted <= {slot_of("anna"), slot_of("bob")}
    stand.receiver.replace(await stand.ask_connections(*stand.receiver.doubted))
    assert stand.states == {"bob": "active"}
    assert stand.receiver.doubted == set()

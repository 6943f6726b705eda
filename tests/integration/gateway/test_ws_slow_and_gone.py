"""Clients that do not read, do not answer, or stay when the gateway leaves (G12, T35, T36)."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import replace

from tests.integration.gateway.conftest import WAIT_S, RunningGateway, Start, upgrade_request
from tests.integration.gateway.ledger import Ledger
from tests.integration.gateway.test_ws_frames import frame
from tests.kit.waiting import until


async def stuck_reader(gateway: RunningGateway, user_id: str, thread_id: str) -> socket.socket:
    """A socket that authenticates and then never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", gateway.port))
    await loop.sock_sendall(sock, upgrade_request(gateway.port))
    assert b" 101 " in await loop.sock_recv(sock, 1_000)
    auth = json.dumps({"type": "auth", "userId": user_id, "threadId": thread_id}).encode()
    await loop.sock_sendall(sock, frame(auth))
    return sock


async def test_a_slow_consumer_is_closed_and_the_others_go_on(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway(gateway_durable_lane_bytes=256 * 1024)
    ledger.thread("t1", "anna", "bob")
    anna = await gateway.login("anna", threadId="t1")
    await anna.hear("subscribed")
    stuck = await stuck_reader(gateway, "bob", "t1")
    await until(lambda: ledger.syncs == 2 and not gateway.parts.follower.joining, WAIT_S, "bob has joined")
    total = 150
    worst_s = 0.0
    for n in range(total):
        started_s = time.monotonic()
        ledger.say("t1", "x" * 15_000)
        assert (await anna.hear("message"))["rev"] == n + 1
        worst_s = max(worst_s, time.monotonic() - started_s)
    await until(lambda: gateway.parts.counts.slow_closes == 1, WAIT_S, "bob is closed as slow")
    await until(lambda: len(gateway.parts.hub) == 1, 10, "bob's socket is gone")
    assert worst_s < 1.0
    stuck.close()


async def test_a_slow_consumer_that_reads_again_is_told_why(start_gateway: Start, ledger: Ledger) -> None:
    gateway = await start_gateway(gateway_durable_lane_bytes=65_536)
    ledger.thread("t1", "bob")
    stuck = await stuck_reader(gateway, "bob", "t1")
    await until(lambda: ledger.syncs == 1 and not gateway.parts.follower.joining, WAIT_S, "bob has joined")
    while not gateway.parts.counts.slow_closes:
        ledger.say("t1", "x" * 15_000)
        await ledger.link.flush(WAIT_S)
    data = b""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(WAIT_S):
        while chunk := await loop.sock_recv(stuck, 65_536):
            data += chunk
            if (4008).to_bytes(2, "big") in data[-125:]:
                break
    assert b"\x88" in data[-125:]
    stuck.close()


async def test_who_never_answers_pings_is_gone(start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_heartbeat_interval_s=0.5, gateway_heartbeat_timeout_s=2)
    reader, writer = await gateway.raw()
    writer.write(frame(b'{"type":"auth","userId":"mute"}'))
    alive = await gateway.login("anna")  # its client library answers pings
    await until(lambda: len(gateway.parts.hub) == 1, 10, "the mute socket is gone")
    data = await reader.read()
    assert b"\x89\x00" in data, "it was pinged"
    assert (4010).to_bytes(2, "big") in data
    await alive.say(type="ping")
    await alive.hear("pong")


async def test_a_client_that_ignores_the_goodbye_is_aborted(start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_auth_deadline_s=0.5)
    reader, writer = await gateway.raw()
    await until(lambda: len(gateway.parts.hub) == 0, 10, "the socket is gone")
    writer.transport.abort()
    reader.feed_eof()


async def test_draining_tells_everybody_answers_everything_and_closes_with_4000(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway()
    clients = [await gateway.login(f"user{n}") for n in range(10)]
    ledger.answer = False
    await clients[0].say(type="message", threadId="t1", content="x", clientMessageId="m1")
    await until(lambda: clients[0] and len(gateway.parts.queue) == 1, WAIT_S, "a message waits")
    gateway.lifecycle.stop("SIGTERM")
    for client in clients:
        assert (await client.hear_until("reconnect"))["resume"] is True
    for client in clients[1:]:
        assert await client.closed() == 4000
    refused = await asyncio.open_connection("127.0.0.1", gateway.port)
    refused[1].write(upgrade_request(gateway.port))
    assert (await refused[0].readline()).startswith(b"HTTP/1.1 503 ")
    ledger.answer = True
    store = ledger.commands[-1]
    ledger.parcel_came(_parcel(store))
    assert (await clients[0].hear_until("message_ack"))["clientMessageId"] == "m1"
    assert await clients[0].closed() == 4000
    async with asyncio.timeout(10):
        await gateway.running


def _parcel(command: object) -> object:
    from chatterbus_contracts.commands import encode_command, encode_parcel
    from chatterbus_runtime.nats_message import Message

    return Message("", "", encode_parcel([encode_command(command)]))  # type: ignore[arg-type]


async def test_a_socket_that_takes_nothing_is_slow_and_one_that_takes_little_is_not(
    start_gateway: Start, ledger: Ledger
) -> None:
    gateway = await start_gateway()
    ledger.thread("t1", "dead", "thin")
    dead = await stuck_reader(gateway, "dead", "t1")
    thin = await stuck_reader(gateway, "thin", "t1")
    await until(lambda: ledger.syncs == 2 and not gateway.parts.follower.joining, WAIT_S, "both have joined")
    gateway.parts.policy = replace(gateway.parts.policy, stall_max_s=1.5)
    for _ in range(60):
        ledger.say("t1", "x" * 15_000)
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    while not gateway.parts.counts.slow_closes or loop.time() < started_s + 4:
        await loop.sock_recv(thin, 2_048)
        await asyncio.sleep(0.02)  # a thin line, not a wait for something
        assert loop.time() < started_s + 15
    assert gateway.parts.counts.slow_closes == 1
    assert len(gateway.parts.hub.of_user("thin")) == 1
    dead.close()
    thin.close()

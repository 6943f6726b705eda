"""Getting in: tokens, origins, half-open sockets, caps (S1, S3, S4, S5, S11)."""

from __future__ import annotations

import asyncio
import contextlib
import time

import jwt
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chatterbus_gateway import http_socket
from tests.integration.gateway.conftest import WAIT_S, Client, RunningGateway, Start, upgrade_request
from tests.integration.gateway.ledger import Ledger
from tests.kit.waiting import until

SECRET = "a-secret-of-more-than-thirty-two-bytes!"
WITH_TOKENS = {"gateway_dev_mode": False, "gateway_jwt_secret": SecretStr(SECRET)}


def token(user_id: str, ttl_s: float = 3_600) -> str:
    return jwt.encode({"sub": user_id, "user_type": "user", "exp": time.time() + ttl_s}, SECRET, algorithm="HS256")


async def test_a_token_opens_the_socket_and_says_until_when(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    anna = await gateway.connect()
    await anna.say(type="auth", token=token("anna"))
    success = await anna.hear("auth_success")
    assert (success["userId"], success["storeEpoch"], success["protocolVersion"]) == ("anna", "e1", 1)
    assert success["tokenExpiresAt"] is not None


async def test_a_token_in_the_authorization_header_makes_auth_unnecessary_but_permitted(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    anna = await gateway.connect(additional_headers={"Authorization": f"Bearer {token('anna')}"})
    await anna.hear("auth_success")
    await anna.say(type="ping", id="1")
    assert (await anna.hear("pong"))["id"] == "1"
    await anna.say(type="auth", token=token("anna"))
    await anna.hear("auth_success")


@pytest.mark.parametrize("in_header", [True, False])
async def test_a_bad_token_ends_the_socket_with_4501(start_gateway: Start, in_header: bool) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    bad = token("anna") + "x"
    client = await gateway.connect(additional_headers={"Authorization": f"Bearer {bad}"} if in_header else {})
    if not in_header:
        await client.say(type="auth", token=bad)
    assert (await client.hear("error"))["code"] == "AUTH_FAILED"
    assert await client.closed() == 4501


async def test_an_expired_token_ends_the_socket_and_a_renewed_one_does_not(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    anna, bob = await gateway.connect(), await gateway.connect()
    await anna.say(type="auth", token=token("anna", ttl_s=2))
    await bob.say(type="auth", token=token("bob", ttl_s=2))
    for client in (anna, bob):
        await client.hear("auth_success")
        await client.hear("token_expiring")
    await bob.say(type="auth", token=token("bob"))
    await bob.hear("auth_success")
    assert await anna.closed() == 4502
    await bob.say(type="ping")
    await bob.hear("pong")


async def test_a_frame_that_speaks_for_somebody_else_is_refused(gateway: RunningGateway, ledger: Ledger) -> None:
    anna = await gateway.login("anna")
    await anna.say(type="message", threadId="t1", content="x", senderId="bob", clientMessageId="m1")
    assert (await anna.hear("error"))["code"] == "IDENTITY_MISMATCH"
    await anna.say(type="auth", userId="bob")
    assert (await anna.hear("error"))["code"] == "IDENTITY_MISMATCH"
    assert not ledger.commands


async def test_a_message_before_auth_ends_the_socket_and_reaches_nobody(
    gateway: RunningGateway, ledger: Ledger
) -> None:
    client = await gateway.connect()
    await client.say(type="message", threadId="t1", content="x")
    assert (await client.hear("error"))["code"] == "AUTH_REQUIRED"
    assert await client.closed() == 4501
    assert not ledger.commands


@pytest.mark.parametrize(
    "origin",
    ["https://evil.test", "null", "http://127.0.0.1.evil.test", "https://app.example.evil.test", "file://"],
)
async def test_foreign_origins_are_refused_before_accept(start_gateway: Start, origin: str) -> None:
    gateway = await start_gateway(**WITH_TOKENS, gateway_allowed_origins=frozenset({"https://app.example"}))
    with pytest.raises(InvalidStatus) as refused:
        await connect(gateway.url, origin=origin)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
    connection = await connect(gateway.url, origin="https://app.example")  # type: ignore[arg-type]
    await connection.close()


async def test_other_paths_have_no_socket(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{gateway.port}/other")
    assert refused.value.response.status_code == 404


async def test_a_thousand_half_open_sockets_do_not_block_a_login_and_go_away(start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_auth_deadline_s=2, gateway_max_connections_per_address=5_000)
    silent = [await gateway.raw() for _ in range(500)]
    mute = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(500)]
    started_s = time.monotonic()
    anna = await gateway.login("anna")
    assert time.monotonic() - started_s < 1.0
    await until(lambda: len(gateway.parts.hub) == 1, 15, "half-open sockets are gone")
    await anna.say(type="ping")
    await anna.hear("pong")
    for _, writer in silent + mute:
        writer.transport.abort()


async def test_a_socket_that_never_asks_for_anything_or_never_stops_asking_is_dropped(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_socket, "HEAD_DEADLINE_S", 0.5)
    mute, _ = await asyncio.open_connection("127.0.0.1", gateway.port)
    slow, slow_writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    slow_writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow:")
    endless, endless_writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    endless_writer.write(b"GET /ws HTTP/1.1\r\nX-Long: " + b"x" * 100_000)
    async with asyncio.timeout(WAIT_S):
        for reader in (mute, slow, endless):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""


async def test_sockets_of_a_user_and_of_an_address_are_capped(start_gateway: Start) -> None:
    gateway = await start_gateway(gateway_max_connections_per_user=2, gateway_max_connections_per_address=3)
    first = await gateway.login("anna")
    await gateway.login("anna")
    third = await gateway.connect()
    with pytest.raises(InvalidStatus) as refused:
        await gateway.connect()
    assert refused.value.response.status_code == 429
    await third.say(type="auth", userId="anna")
    assert (await third.hear("error"))["code"] == "TOO_MANY_CONNECTIONS"
    assert await third.closed() == 4504
    await first.connection.close()
    await until(lambda: len(gateway.parts.hub) == 1, WAIT_S, "the closed sockets are forgotten")
    await gateway.login("anna")


async def test_after_all_sockets_are_gone_nothing_is_kept_of_them(gateway: RunningGateway) -> None:
    clients: list[Client] = [await gateway.login(f"user{n % 7}", threadId=f"t{n % 3}") for n in range(30)]
    for n, client in enumerate(clients):
        if n % 2:
            client.connection.transport.abort()
        else:
            await client.connection.close()
    parts = gateway.parts
    await until(lambda: len(parts.hub) == 0, WAIT_S, "all are gone")
    await until(lambda: not parts.follower.joining, WAIT_S, "all joins have ended")
    assert (parts.hub.users, parts.hub.addresses, len(parts.wheel)) == (0, 0, 0)
    await until(lambda: len(parts.follower) == 0, 10, "no thread is listened to any more")


async def test_a_query_string_with_a_token_is_not_logged(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(upgrade_request(gateway.port, "/ws?token=my-secret"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 101")
    writer.transport.abort()
    await until(lambda: len(gateway.parts.hub) == 0, WAIT_S, "it is gone")
    assert "my-secret" not in caplog.text

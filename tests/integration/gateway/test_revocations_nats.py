"""Tokens taken back, over a real NATS: on every gateway, on open sockets, for tickets, after restarts (G13, S5)."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx
import jwt
import pytest
from pydantic import SecretStr

from tests.integration.gateway.conftest import Client, RunningGateway, Start
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

SECRET = "a-secret-of-more-than-thirty-two-bytes!"
WITH_TOKENS = {"gateway_dev_mode": False, "gateway_jwt_secret": SecretStr(SECRET)}
CLOSED_WITHIN_S = 10.0  # G13


def token(user_id: str, *, age_s: float = 60, **claims: object) -> str:
    now = time.time()
    return jwt.encode({"sub": user_id, "iat": now - age_s, "exp": now + 600, **claims}, SECRET, algorithm="HS256")


async def enter(gateway: RunningGateway, credential: str, kind: str = "token") -> Client:
    client = await gateway.connect()
    await client.say(type="auth", **{kind: credential})
    return client


async def let_in(gateway: RunningGateway, credential: str) -> Client:
    client = await enter(gateway, credential)
    await client.hear("auth_success")
    return client


def rest(gateway: RunningGateway, bearer: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{gateway.port}", headers={"Authorization": f"Bearer {bearer}"}, timeout=5
    )


async def revoke(gateway: RunningGateway, **what: str) -> None:
    async with rest(gateway, token("root", scope="chat:admin")) as client:
        answer = await client.post("/api/admin/revocations", json=what)
    assert answer.status_code == 201, answer.text


async def test_a_users_sockets_close_on_every_gateway_and_newer_tokens_are_let_in(start_gateway: Start) -> None:
    first = await start_gateway(**WITH_TOKENS, gateway_id="gw-1")
    second = await start_gateway(**WITH_TOKENS, gateway_id="gw-2")
    here, there = await let_in(first, token("anna")), await let_in(second, token("anna"))
    bob = await let_in(second, token("bob"))
    began = time.monotonic()
    await revoke(first, userId="anna")
    assert [await here.closed(), await there.closed()] == [4502, 4502]
    assert time.monotonic() - began < CLOSED_WITHIN_S
    await bob.say(type="ping")
    await bob.hear("pong")

    refused = await enter(second, token("anna"))
    assert (await refused.hear("error"))["code"] == "TOKEN_REVOKED"
    assert await refused.closed() == 4502
    await let_in(second, token("anna", age_s=-1))


async def test_one_token_is_taken_back_and_the_users_other_stays(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    lost, kept = await let_in(gateway, token("anna", jti="a")), await let_in(gateway, token("anna", jti="b"))
    await revoke(gateway, tokenId="a")
    assert await lost.closed() == 4502
    await kept.say(type="ping")
    await kept.hear("pong")


async def test_a_revoked_token_opens_nothing_by_rest_either_nor_does_a_ticket_it_bought(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    revoked = token("anna", jti=uuid4().hex)
    async with rest(gateway, revoked) as client:
        ticket = (await client.post("/api/auth/ticket")).json()["ticket"]
        await revoke(gateway, userId="anna")

        async def refused() -> bool:
            return (await client.post("/api/auth/ticket")).status_code == 401

        await until(refused, CLOSED_WITHIN_S, "REST refuses the token")
        answer = await client.post("/api/auth/ticket")
    assert answer.json()["code"] == "TOKEN_REVOKED"
    assert "invalid_token" in answer.headers["WWW-Authenticate"]
    late = await enter(gateway, ticket, "ticket")
    assert (await late.hear("error"))["code"] == "TOKEN_REVOKED"


async def test_a_token_renewed_in_time_keeps_the_socket(start_gateway: Start) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    anna = await let_in(gateway, token("anna", jti="old"))
    await anna.say(type="auth", token=token("anna", jti="new"))
    await anna.hear("auth_success")
    await revoke(gateway, tokenId="old")
    refused = await enter(gateway, token("anna", jti="old"))
    await refused.hear("error")
    await anna.say(type="ping")
    await anna.hear("pong")


async def test_a_gateway_that_starts_later_lets_no_revoked_token_in(start_gateway: Start) -> None:
    first = await start_gateway(**WITH_TOKENS, gateway_id="gw-1")
    await revoke(first, userId="anna")
    await revoke(first, tokenId="b1")
    second = await start_gateway(**WITH_TOKENS, gateway_id="gw-2")
    for bearer in (token("anna"), token("bob", jti="b1")):
        refused = await enter(second, bearer)
        assert (await refused.hear("error"))["code"] == "TOKEN_REVOKED"


async def test_a_gateway_whose_link_was_away_learns_at_its_return_what_was_revoked_before(
    start_gateway: Start, nats_server: NatsServer
) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    await revoke(gateway, tokenId="before")
    nats_server.kill()
    async with rest(gateway, token("root", scope="chat:admin")) as client:
        answer = await client.post("/api/admin/revocations", json={"userId": "anna"}, timeout=15)
    assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
    nats_server.start()

    async def revoked() -> bool:
        async with rest(gateway, token("root", scope="chat:admin")) as client:
            return (await client.post("/api/admin/revocations", json={"userId": "anna"})).status_code == 201

    await until(revoked, 20, "revoking works again")
    for bearer in (token("anna"), token("bob", jti="before")):

        async def refused(bearer: str = bearer) -> bool:
            async with rest(gateway, bearer) as client:
                return (await client.post("/api/auth/ticket")).json().get("code") == "TOKEN_REVOKED"

        await until(refused, CLOSED_WITHIN_S, "the token is refused")


@pytest.mark.parametrize("bad", ["not json", "{}"])
async def test_what_cannot_be_read_in_the_bucket_harms_nobody(start_gateway: Start, link: object, bad: str) -> None:
    gateway = await start_gateway(**WITH_TOKENS)
    await revoke(gateway, tokenId="a")
    await link.jetstream.publish("$KV.revocations.user.x", bad.encode())  # type: ignore[attr-defined]
    await revoke(gateway, userId="anna")
    refused = await enter(gateway, token("anna"))
    assert (await refused.hear("error"))["code"] == "TOKEN_REVOKED"

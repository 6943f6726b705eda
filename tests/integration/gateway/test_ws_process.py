"""The gateway as its own process, as a supervisor runs and ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import httpx
import pytest
from websockets.asyncio.client import connect

from chatterbus_gateway import meanwhile
from chatterbus_gateway.tokens import TokenVerifier
from tests.integration.gateway.conftest import WAIT_S, Client, Start, listens
from tests.integration.gateway.ledger import Ledger
from tests.kit.nats_server import NatsServer, free_port
from tests.kit.waiting import until


async def test_sigterm_sends_clients_away_with_a_word_and_ends_in_order(
    nats_server: NatsServer, ledger: Ledger
) -> None:
    port = free_port()
    env = {
        **os.environ,
        "NATS_URL": nats_server.url,
        "GATEWAY_PORT": str(port),
        "GATEWAY_DEV_MODE": "true",
        "GATEWAY_RECONNECT_JITTER_S": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chatterbus_gateway", env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: listens(port), 15, "the gateway listens")
        clients = [Client(await connect(f"ws://127.0.0.1:{port}/ws", compression=None)) for _ in range(5)]
        for n, client in enumerate(clients):
            await client.say(type="auth", userId=f"user{n}", threadId="t1")
            await client.hear_until("subscribed")
        process.send_signal(signal.SIGTERM)
        for client in clients:
            await client.hear_until("reconnect")
            assert await client.closed() == 4000
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
        assert process.returncode == 0
        assert b"exception" not in output
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_gateway_that_is_still_starting_answers_probes_and_is_not_ready(
    start_gateway: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that it needs answers, and yet its port takes no sockets: a balancer must not send any."""
    go_on = asyncio.Event()
    answers: list[httpx.Response] = []

    async def warm_up(_: TokenVerifier) -> None:
        await go_on.wait()

    monkeypatch.setattr(meanwhile.Meanwhile.__init__, "__defaults__", (0.0,))
    monkeypatch.setattr(TokenVerifier, "warm_up", warm_up)
    port = free_port()
    starting = asyncio.ensure_future(start_gateway(gateway_port=port))

    async def answered() -> bool:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=2) as client:
            try:
                answers.append(await client.get("/readyz"))
            except httpx.HTTPError:
                return False
        checks = answers[-1].json()["checks"]
        return bool(checks["nats"]["ok"] and checks["store"]["ok"])

    try:
        await until(answered, 15, "what it needs is there")
    finally:
        go_on.set()
    assert answers[-1].status_code == 503
    gateway = await starting
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", timeout=2) as client:
        assert (await client.get("/readyz")).status_code == 200

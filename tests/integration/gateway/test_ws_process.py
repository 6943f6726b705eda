"""The gateway as its own process, as a supervisor runs and ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from websockets.asyncio.client import connect

from tests.integration.gateway.conftest import WAIT_S, Client, listens
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

"""A request that is cancelled while its reply arrives is cancelled: whoever ends a task must not wait for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer


async def test_no_cancellation_is_lost_to_a_reply_that_comes_with_it(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    link = await NatsLink.connect(ServiceSettings(nats_url=server.url), "cancel")
    client = link.client

    async def ask_for_ever() -> None:
        while True:
            await client.request("echo", b"", timeout=2)

    async def answer(message: object) -> None:
        await message.respond(b"")  # type: ignore[attr-defined]

    await client.subscribe("echo", cb=answer)
    try:
        for round_number in range(300):
            task = asyncio.create_task(ask_for_ever())
            for _ in range(round_number % 40):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005 * (round_number % 3))
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=5)
            assert done, f"round {round_number} went on after its cancellation"
    finally:
        await link.close(0.5)
        server.stop()

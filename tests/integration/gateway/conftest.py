"""A whole gateway in the test's own event loop, with a real nats-server and a ledger in memory behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import websockets
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect

from chatterbus_gateway import app
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.lifecycle import Lifecycle
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.integration.gateway.ledger import Ledger
from tests.kit.nats_server import NatsServer, free_port
from tests.kit.waiting import until

WAIT_S = 5.0
START_S = 15.0


class Client:
    """A WebSocket client that says and expects frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def hear(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame; with `kind`, it must be of that type."""
        async with asyncio.timeout(WAIT_S):
            frame = json.loads(await self.connection.recv())
        assert kind is None or frame["type"] == kind, frame
        return frame

    async def hear_until(self, kind: str) -> dict[str, Any]:
        """The next frame of a type, passing over others."""
        while True:
            frame = await self.hear()
            if frame["type"] == kind:
                return frame

    async def closed(self) -> int:
        """The code the server closes with; frames before it are passed over."""
        async with asyncio.timeout(15):
            try:
                while True:
                    await self.connection.recv()
            except websockets.ConnectionClosed:
                code = self.connection.close_code
                return 0 if code is None else code


class RunningGateway:
    """A gateway that listens."""

    def __init__(self, settings: GatewaySettings, lifecycle: Lifecycle, running: asyncio.Task[None]) -> None:
        self.settings = settings
        self.lifecycle = lifecycle
        self.running = running
        self.parts: Any = None  # its Gateway, for looking at indexes

    @property
    def port(self) -> int:
        return self.settings.gateway_port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self, **options: Any) -> Client:
        return Client(await connect(self.url, compression=None, open_timeout=WAIT_S, **options))

    async def login(self, user_id: str, **fields: Any) -> Client:
        """A client of development mode."""
        client = await self.connect()
        await client.say(type="auth", userId=user_id, **fields)
        await client.hear("auth_success")
        return client

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A socket that has upgraded, for frames no client library would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(upgrade_request(self.port))
        async with asyncio.timeout(WAIT_S):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return reader, writer


def upgrade_request(port: int, path: str = "/ws", *lines: str) -> bytes:
    return "\r\n".join(
        (
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            *lines,
            "\r\n",
        )
    ).encode()


Start = Callable[..., Awaitable[RunningGateway]]


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "ledger", connect_patience_s=10)
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture
async def ledger(link: NatsLink) -> Ledger:
    return await Ledger.start(link)


@pytest.fixture
async def start_gateway(
    nats_server: NatsServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Start]:
    """Starts gateways (development mode unless told otherwise) and stops them in the end."""
    started: list[RunningGateway] = []

    async def start(**fields: Any) -> RunningGateway:
        defaults: dict[str, Any] = {
            "gateway_port": free_port(),
            "gateway_dev_mode": True,
            "gateway_reconnect_jitter_s": 0,
        }
        settings = GatewaySettings(nats_url=nats_server.url, **{**defaults, **fields})
        lifecycle = Lifecycle()
        parts: list[Any] = []
        original = app.Gateway
        monkeypatch.setattr(app, "Gateway", lambda **kw: parts.append(original(**kw)) or parts[-1])
        running = asyncio.create_task(app.main(lifecycle, settings, CollectorRegistry()))
        gateway = RunningGateway(settings, lifecycle, running)
        started.append(gateway)

        async def is_up() -> bool:
            return running.done() or await listens(gateway.port)

        await until(is_up, START_S, "the gateway listens")
        monkeypatch.setattr(app, "Gateway", original)
        if running.done():
            running.result()
        gateway.parts = parts[0]
        return gateway

    yield start
    for gateway in started:
        gateway.lifecycle.stop("the test is over")
        await asyncio.wait({gateway.running}, timeout=30)
        await gateway.lifecycle.cancel_tasks()
        gateway.running.result()


async def listens(port: int) -> bool:
    """Whether sockets are taken; while a gateway starts, its port answers probes only."""
    async with httpx.AsyncClient(timeout=2) as client:
        try:
            report = (await client.get(f"http://127.0.0.1:{port}/readyz")).json()
        except httpx.HTTPError:
            return False
    return bool(report["checks"]["listening"]["ok"])


@pytest.fixture
async def gateway(start_gateway: Start) -> RunningGateway:
    return await start_gateway()

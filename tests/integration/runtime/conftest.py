"""A link to the test's NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer


class Losses:
    """What the link told its observers."""

    def __init__(self) -> None:
        self.told: list[str] = []


@pytest.fixture
def losses() -> Losses:
    return Losses()


@pytest.fixture
async def link(nats_server: NatsServer, losses: Losses) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(
        ServiceSettings(nats_url=nats_server.url),
        "test",
        on_disconnected=lambda: losses.told.append("disconnected"),
        on_reconnected=lambda: losses.told.append("reconnected"),
        on_closed=lambda: losses.told.append("closed"),
        connect_patience_s=5,
    )
    yield link
    await link.close(1)

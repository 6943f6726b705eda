"""Who may do what in NATS (S12): each service's user tries what it must not be able to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.integration.permissions.deployment import DeployedNats
from tests.kit.waiting import until

REFUSED_WITHIN_S = 5.0

MAY_NOT_PUBLISH = {
    "gateway": (
        "chat.evt.thread",  # an event that never happened
        "chat.own.0",
        "chat.gw.gw-other",  # an ack of what was not stored
        "chat.user.ann",
        "chat.pres.ann",
        "chat.presence.reset",
        "chat.gwask.gw-other.connections",
        "chat.lead.0.1",
        "chat.hook.0",
        "chat.hooklog.delivered",
        "$KV.notifiers.shard-0-of-1",
        "$KV.presence.ann",
        "$SRV.STATS",
        "_INBOX_gateway.another.gateways.answer",
        "_INBOX_persister.x",
        "$JS.API.INFO",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.CREATE.SPY",
        "$JS.API.STREAM.DELETE.CMD_0",
        "$JS.API.STREAM.DELETE.KV_tickets",
        "$JS.API.STREAM.PURGE.CMD_0",
        "$JS.API.STREAM.UPDATE.CMD_0",
        "$JS.API.STREAM.MSG.GET.CMD_0",  # what others write
        "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.DIRECT.GET.CMD_0",
        "$JS.API.CONSUMER.CREATE.EVENTS",
        "$JS.API.CONSUMER.CREATE.CMD_0.spy",
        "$JS.ACK.EVENTS.search.1.1.1.1.1",
    ),
    "persister": (
        "chat.cmd.0.gw-other",  # what nobody asked for
        "chat.user.ann",
        "chat.pres.ann",
        "chat.conn.0.gw-other",
        "chat.hook.0",
        "$KV.leases.gw-other",
        "$KV.tickets.x",
        "$KV.revocations.x",
        "$KV.presence.ann",
        "$O.attachments.C.x",
        "_INBOX_persister.another.persisters.answer",
        "$JS.API.STREAM.CREATE.KV_tickets",
        "$JS.API.STREAM.INFO.KV_tickets",
        "$JS.API.STREAM.PURGE.KV_revocations",
        "$JS.API.STREAM.UPDATE.WEBHOOKS",
        "$JS.API.STREAM.DELETE.CMD_0",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.MSG.GET.KV_tickets",
        "$JS.API.STREAM.MSG.GET.WEBHOOKS",
        "$JS.API.DIRECT.GET.KV_tickets",
        "$JS.API.CONSUMER.CREATE.KV_tickets",
        "$JS.API.CONSUMER.CREATE.WEBHOOKS.spy.chat.hook.0",
        "$JS.API.CONSUMER.DELETE.EVENTS.search",
    ),
    "notifier": (
        "chat.cmd.0.gw-other",
        "chat.evt.thread",
        "chat.own.0",
        "chat.gw.gw-other",
        "chat.conn.0.gw-other",
        "$KV.leases.gw-other",  # it reads them only
        "$KV.tickets.x",
        "$KV.revocations.x",
        "$O.attachments.M.x",
        "_INBOX_persister.x",
        "$JS.API.STREAM.CREATE.EVENTS",
        "$JS.API.STREAM.DELETE.WEBHOOKS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.UPDATE.EVENTS",
        "$JS.API.STREAM.MSG.GET.CMD_0",
        "$JS.API.STREAM.MSG.GET.KV_tickets",
        "$JS.API.CONSUMER.CREATE.CMD_0",
        "$JS.API.CONSUMER.CREATE.OBJ_attachments",
        "$JS.API.CONSUMER.DELETE.EVENTS.search",
    ),
}
EVERYBODYS = (">", "chat.>", "_INBOX.>", "chat.cmd.>", "chat.cmd.0.gw-other", "$KV.>", "$O.>", "$JS.>", "$SYS.>")
MAY_NOT_HEAR = {
    "gateway": ("chat.store.history", "chat.conn.*.*", "chat.hooks.*", "$SRV.>", "_INBOX_persister.>"),
    "persister": ("chat.evt.*", "chat.user.*", "chat.gw.*", "chat.typ.*", "_INBOX_gateway.>", "_INBOX_notifier.>"),
    "notifier": ("chat.evt.*", "chat.user.*", "chat.gw.*", "chat.typ.*", "chat.store.history", "_INBOX_gateway.>"),
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """A client and what the server refused it."""
    refused: list[str] = []

    async def failed(error: Exception) -> None:
        refused.append(str(error))

    client = await nats.connect(url, error_cb=failed, connect_timeout=5, max_reconnect_attempts=0)
    try:
        yield client, refused
    finally:
        await client.close()


def cases(table: dict[str, tuple[str, ...]], *, more: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(user, subject) for user, subjects in table.items() for subject in (*subjects, *more)]


@pytest.mark.parametrize(("user", "subject"), cases(MAY_NOT_PUBLISH))
async def test_a_service_cannot_say_what_is_not_its_own_to_say(
    deployed_nats: DeployedNats, user: str, subject: str
) -> None:
    async with (
        connected(deployed_nats.url_of("operator")) as (operator, _),
        connected(deployed_nats.url_of(user)) as (client, refused),
    ):
        heard = await operator.subscribe(subject)
        await operator.flush()
        await client.publish(subject, b"{}")
        await client.flush()
        await until(lambda: bool(refused), REFUSED_WITHIN_S, f"{user} is refused {subject}")
        assert "permissions violation for publish" in refused[0].lower()
        assert heard.pending_msgs == 0


@pytest.mark.parametrize(("user", "subject"), cases(MAY_NOT_HEAR, more=EVERYBODYS))
async def test_a_service_cannot_listen_to_what_is_not_meant_for_it(
    deployed_nats: DeployedNats, user: str, subject: str
) -> None:
    async with connected(deployed_nats.url_of(user)) as (client, refused):
        await client.subscribe(subject)
        await client.flush()
        await until(lambda: bool(refused), REFUSED_WITHIN_S, f"{user} is refused {subject}")
        assert "permissions violation for subscription" in refused[0].lower()


@pytest.mark.parametrize("user", ["gateway", "persister", "notifier", "operator"])
async def test_nobody_comes_in_with_a_wrong_password_or_none(deployed_nats: DeployedNats, user: str) -> None:
    address = f"127.0.0.1:{deployed_nats.port}"
    for url in (f"nats://{address}", f"nats://{user}:guess@{address}", f"nats://{user}@{address}"):
        with pytest.raises((NatsError, asyncio.TimeoutError)):
            await nats.connect(url, allow_reconnect=False, connect_timeout=5)

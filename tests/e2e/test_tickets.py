"""Tickets: bought by REST at one gateway, good once at another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.stack import stack as running_stack
from chatterbus_contracts.errors import CloseCode
from tests.e2e.deployment import Deployment
from tests.kit.socket import Socket


@pytest.fixture
def talkative(tmp_path: Path) -> Iterator[Deployment]:
    """Two gateways that log all there is to log."""
    with running_stack(tmp_path / "up.log", "--gateways", "2", "--log-level", "debug") as started:
        yield Deployment(started, tmp_path)


async def test_a_ticket_opens_one_socket_at_any_gateway(stack: Deployment, thread: str) -> None:
    await spent(stack, thread)


@pytest.mark.embedded_only
async def test_a_ticket_is_in_no_log(talkative: Deployment, thread: str) -> None:
    tickets = await spent(talkative, thread)
    assert any(b"connection open" in log.read_bytes() for log in logs(talkative))
    for log in logs(talkative):
        text = log.read_bytes()
        assert not [ticket for ticket in tickets if ticket.encode() in text], log


async def spent(stack: Deployment, thread: str) -> tuple[str, str]:
    """Two tickets after their use: one for a new socket, one to stay; the first is stolen afterwards, in vain."""
    await stack.create_thread(thread, "alice")
    async with stack.rest("alice", ttl_s=600) as client:
        bought = await client.post("/api/auth/ticket")
        renewal: str = (await client.post("/api/auth/ticket")).json()["ticket"]
    assert bought.status_code == 201, bought.text
    ticket: str = bought.json()["ticket"]

    alice = await Socket.open(stack.gateway_ws(2))
    await alice.send("auth", ticket=ticket, threadId=thread)
    success = await alice.expect("auth_success")
    assert success["userId"] == "alice"
    assert success["tokenExpiresAt"] is not None
    assert (await alice.say(thread, "by ticket"))["status"] == "sent"
    await alice.send("auth", ticket=renewal)
    assert (await alice.expect("auth_success"))["userId"] == "alice"

    for gateway in (1, 2):
        thief = await Socket.open(stack.gateway_ws(gateway))
        await thief.send("auth", ticket=ticket)
        assert (await thief.expect("error"))["code"] == "AUTH_FAILED"
        assert await thief.expect_close() == CloseCode.AUTH_FAILED == 4501
    await alice.close()
    return ticket, renewal


def logs(stack: Deployment) -> list[Path]:
    """What the system's processes wrote, `up` and its children."""
    folders = {stack.folder, Path(stack.stack.ready["childrenFile"]).parent}
    found = [path for folder in folders for path in folder.rglob("*.log")]
    assert found
    return found

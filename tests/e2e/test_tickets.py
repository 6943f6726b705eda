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


def socket_url(gateway: str) -> str:
    return gateway.replace("http", "ws", 1) + "/ws"


async def test_a_ticket_opens_one_socket_at_any_gateway_and_is_in_no_log(talkative: Deployment, thread: str) -> None:
    stack = talkative
    await stack.create_thread(thread, "alice")
    first, second = stack.gateways
    assert first == stack.url
    async with stack.rest("alice", ttl_s=600) as client:
        bought = await client.post("/api/auth/ticket")
        renewal = (await client.post("/api/auth/ticket")).json()["ticket"]
    assert bought.status_code == 201, bought.text
    ticket = bought.json()["ticket"]

    alice = await Socket.open(socket_url(second))
    await alice.send("auth", ticket=ticket, threadId=thread)
    success = await alice.expect("auth_success")
    assert success["userId"] == "alice"
    assert success["tokenExpiresAt"] is not None
    assert (await alice.say(thread, "by ticket"))["status"] == "sent"
    await alice.send("auth", ticket=renewal)
    assert (await alice.expect("auth_success"))["userId"] == "alice"

    for gateway in (first, second):
        thief = await Socket.open(socket_url(gateway))
        await thief.send("auth", ticket=ticket)
        assert (await thief.expect("error"))["code"] == "AUTH_FAILED"
        assert await thief.expect_close() == CloseCode.AUTH_FAILED == 4501
    await alice.close()

    assert any(b"connection open" in log.read_bytes() for log in logs(stack))
    for log in logs(stack):
        text = log.read_bytes()
        assert ticket.encode() not in text, log
        assert renewal.encode() not in text, log


def logs(stack: Deployment) -> list[Path]:
    """What the system's processes wrote, `up` and its children."""
    folders = {stack.folder, Path(stack.stack.ready["childrenFile"]).parent}
    found = [path for folder in folders for path in folder.rglob("*.log")]
    assert found
    return found

"""What the permissions allow is enough: the whole system works with them, and no user tries anything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest

from tests.e2e.hook_receiver import HookReceiver
from tests.integration.permissions.composed import ComposedService
from tests.integration.permissions.deployment import DeployedNats, DeployedPostgres, Secrets
from tests.kit.socket import Socket
from tests.kit.waiting import until

START_S = 30.0
HEARD_S = 20.0
QUICK = {"NOTIFIER_MISSED_AFTER_S": "0.5", "NOTIFIER_OFFLINE_DEBOUNCE_S": "0.5", "NOTIFIER_LEAD_TTL_S": "2"}


class System:
    """One of each service; `standby` is a second notifier."""

    def __init__(
        self, secrets: Secrets, nats: DeployedNats, postgres: DeployedPostgres, receiver: HookReceiver
    ) -> None:
        def made(name: str, **settings: str) -> ComposedService:
            return ComposedService(name, secrets, nats, postgres, **settings)

        self.persister = made("persister", PERSISTER_PURGE_INTERVAL_S="0.2", PERSISTER_COLLECT_INTERVAL_S="0.5")
        self.notifier = made("notifier", **QUICK, **receiver.env)
        self.standby = made("notifier", **QUICK, **receiver.env)
        self.gateway = made("gateway")
        self.all = (self.persister, self.notifier, self.standby, self.gateway)
        self.receiver = receiver
        self._secret = secrets.read("jwt_secret")

    def token(self, user: str, **claims: object) -> str:
        return jwt.encode({"sub": user, "exp": int(time.time()) + 600, **claims}, self._secret, algorithm="HS256")

    def rest(self, user: str, **claims: object) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token(user, **claims)}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.gateway.port}", headers=headers, timeout=30)

    async def join(self, thread: str | None, **auth: str) -> Socket:
        return await Socket.join(f"ws://127.0.0.1:{self.gateway.port}/ws", thread=thread, **auth)


@pytest.fixture
async def system(
    secrets: Secrets, deployed_nats: DeployedNats, deployed_postgres: DeployedPostgres
) -> AsyncIterator[System]:
    receiver = HookReceiver()
    made = System(secrets, deployed_nats, deployed_postgres, receiver)
    for service in made.all:
        service.start()
    try:
        for service in made.all:
            await until(service.is_ready, START_S, f"{service.name} is ready")
        yield made
    finally:
        codes = [await asyncio.to_thread(service.stop) for service in reversed(made.all)]
        receiver.stop()
        assert codes == [0] * len(codes)


async def test_everything_a_deployment_does_is_allowed_by_its_permissions(
    system: System, deployed_nats: DeployedNats
) -> None:
    refused_before = len(deployed_nats.violations)
    await talk(system)
    await exchange_a_file(system)
    await miss_a_message(system)
    await administer(system)
    assert deployed_nats.violations[refused_before:] == []


async def talk(system: System) -> None:
    """Messages, typing, receipts, presence, unread counts, tickets, search."""
    async with system.rest("ann") as ann_rest:
        body = {"id": "talk", "members": [{"userId": "ben"}]}
        (await ann_rest.post("/api/chat/threads", json=body)).raise_for_status()
        ticket = (await ann_rest.post("/api/auth/ticket")).raise_for_status().json()["ticket"]
        ann, ben = await system.join("talk", ticket=ticket), await system.join("talk", token=system.token("ben"))
        await ann.expect("presence", lambda frame: frame["userId"] == "ben" and frame["status"] == "online", HEARD_S)
        await ann.send("typing", threadId="talk", isTyping=True)
        await ben.expect("typing")
        await ann.say("talk", "a needle in the talk")
        message = await ben.expect("message")
        await ben.send("read_receipt", threadId="talk", seq=message["data"]["seq"])
        await ann.expect("read_receipt", within_s=HEARD_S)
        await ben.send("presence_set", status="dnd")
        await ann.expect("presence", lambda frame: frame["status"] == "dnd", HEARD_S)

        async def found() -> bool:
            answer = (await ann_rest.get("/api/chat/search", params={"q": "needle"})).raise_for_status()
            return bool(answer.json()["items"])

        await until(found, HEARD_S, "the message is found by its words")
    await asyncio.gather(ann.close(), ben.close())


async def exchange_a_file(system: System) -> None:
    """Up, attached, down again, and removed with its message."""
    async with system.rest("ann") as ann:
        upload = await ann.post("/api/chat/attachments", params={"threadId": "talk", "name": "a.txt"}, content=b"text")
        file = upload.raise_for_status().json()
        body = {"threadId": "talk", "content": "see there", "attachmentIds": [file["id"]]}
        message = (await ann.post("/api/chat/messages", json=body)).raise_for_status().json()
        assert (await ann.get(file["url"])).raise_for_status().content == b"text"
        (await ann.delete(f"/api/chat/messages/{message['id']}")).raise_for_status()

        async def is_gone() -> bool:
            return (await ann.get(file["url"])).status_code == httpx.codes.NOT_FOUND

        await until(is_gone, HEARD_S, "the file is gone with its message")


async def miss_a_message(system: System) -> None:
    """A webhook for somebody who is away, after the standby has taken over."""
    await asyncio.to_thread(system.notifier.stop)
    async with system.rest("ann") as ann:
        body = {"threadId": "talk", "content": "are you there?"}
        (await ann.post("/api/chat/messages", json=body)).raise_for_status()
    missed = system.receiver
    await until(lambda: bool(missed.of("message.missed", userId="ben")), HEARD_S, "a message was missed")
    system.notifier.start()
    await until(system.notifier.is_ready, START_S, "the notifier is back")


async def administer(system: System) -> None:
    """Deliveries, a replay, revoked tokens."""
    async with system.rest("root", scope="chat:admin") as root:
        assert (await root.get("/api/admin/webhooks/deliveries")).raise_for_status().json()["items"]
        since = {"since": "2020-01-01T00:00:00.000Z"}
        assert (await root.post("/api/admin/webhooks/replay", json=since)).raise_for_status().json()["events"] > 0
        carl = await system.join(None, token=system.token("carl"))
        (await root.post("/api/admin/revocations", json={"userId": "carl"})).raise_for_status()
        assert await carl.expect_close(HEARD_S) > 0

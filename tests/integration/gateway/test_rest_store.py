"""REST reads over a real NATS, answered by a small store service of nats.micro."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from nats.aio.client import Client
from nats.micro import add_service
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.subjects import STORE_SERVICE, store_subject
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.app import build_rest
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_gateway.store import Store
from chatterbus_runtime.health import Health
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer
from tests.unit.gateway.rest_fakes import SECRET, FakeQueue, FakeVerifier, problem

Answer = Callable[[dict[str, Any]], Any]


class StoreService:
    """Serves queries on a connection of its own; a tuple is an error reply (code, text)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self.questions: list[tuple[str, dict[str, Any]]] = []

    async def start(self, answers: dict[str, Any]) -> None:
        self._client = Client()
        await self._client.connect(self._url)
        service: Service = await add_service(self._client, ServiceConfig(name=STORE_SERVICE, version="1.0.0"))
        for query, answer in answers.items():
            await service.add_endpoint(
                EndpointConfig(name=query, subject=store_subject(query), handler=self._handler(query, answer))
            )
        await self._client.flush(5)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _handler(self, query: str, answer: Any) -> Callable[[Request], Any]:
        async def handle(request: Request) -> None:
            self.questions.append((query, json.loads(request.data)))
            if isinstance(answer, tuple):
                await request.respond_error(*answer)
            else:
                await request.respond(json.dumps(answer).encode())

        return handle


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[NatsLink]:
    link = await NatsLink.connect(ServiceSettings(nats_url=nats_server.url), "test", connect_patience_s=5)
    yield link
    await link.close(1)


@pytest.fixture
async def store_service(nats_server: NatsServer) -> AsyncIterator[StoreService]:
    service = StoreService(nats_server.url)
    yield service
    await service.stop()


@pytest.fixture
async def client(link: NatsLink) -> AsyncIterator[httpx.AsyncClient]:
    verifier = FakeVerifier()
    verifier.principals["alice-token"] = Principal(user_id="alice")  # type: ignore[arg-type]
    settings = GatewaySettings(gateway_jwt_secret=SECRET)
    app = build_rest(settings, verifier, Store(link, timeout_s=1), FakeQueue(), Health())  # type: ignore[arg-type]
    headers = {"Authorization": "Bearer alice-token"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers
    ) as client:
        yield client


async def test_a_question_reaches_the_store_and_its_answer_the_client(
    client: httpx.AsyncClient, store_service: StoreService
) -> None:
    await store_service.start({"history": {"items": [], "nextCursor": None}})
    response = await client.get("/api/chat/threads/auth0|x:1/messages?afterSeq=3&limit=7")
    assert (response.status_code, response.content) == (200, b'{"items": [], "nextCursor": null}')
    asked = {"threadId": "auth0|x:1", "userId": "alice", "afterSeq": 3, "limit": 7}
    assert store_service.questions == [("history", asked)]


async def test_a_refusal_of_the_store_keeps_its_code_and_text(
    client: httpx.AsyncClient, store_service: StoreService
) -> None:
    await store_service.start({"thread": ("THREAD_NOT_FOUND", "no such thread"), "unread": ("500", "stack trace")})
    refused = problem(await client.get("/api/chat/threads/t1"), ErrorCode.THREAD_NOT_FOUND)
    assert refused["detail"] == "no such thread"
    failed = problem(await client.get("/api/chat/unread"), ErrorCode.INTERNAL)
    assert "stack trace" not in failed["detail"]


async def test_a_message_is_answered_with_what_the_store_has(
    client: httpx.AsyncClient, store_service: StoreService
) -> None:
    await store_service.start({"message": {"id": "t1~1"}})
    response = await client.post("/api/chat/messages", json={"threadId": "t1", "content": "x", "clientMessageId": "c"})
    assert (response.status_code, response.json()) == (201, {"id": "t1~1"})
    assert store_service.questions == [("message", {"messageId": "t1~1", "userId": "alice"})]


async def test_without_a_store_the_answer_is_to_come_again(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/chat/unread")
    assert problem(response, ErrorCode.STORE_UNAVAILABLE)["retryable"]
    assert response.headers["retry-after"] == "1"


async def test_without_nats_the_answer_is_to_come_again_and_comes_in_time(
    client: httpx.AsyncClient, nats_server: NatsServer
) -> None:
    nats_server.kill()
    problem(await client.get("/api/chat/unread"), ErrorCode.STORE_UNAVAILABLE)

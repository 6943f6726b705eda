"""A store and a queue that answer at once with what the test says, and the app over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

import httpx
from fastapi import FastAPI

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.commands import Command, CreateThread, StoreMessage
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.frames.server import Ack, Error, MessageAck
from chatterbus_contracts.ids import message_id
from chatterbus_contracts.presence import VersionedPresence
from chatterbus_contracts.rest import OnlineUsers
from chatterbus_contracts.states import PresenceState
from chatterbus_gateway.command_queue import Queued
from chatterbus_gateway.notifier import presence_unavailable
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.app import build_rest
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.health import Health

SECRET = "0123456789abcdef0123456789abcdef"


class FakeStore:
    """Answers a query with the JSON under its name, or raises the Refusal there; a list is used up in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Wire]] = []
        self.answers: dict[str, Any] = {}

    async def ask(self, query_name: str, question: Wire) -> bytes:
        self.asked.append((query_name, question))
        answer = self.answers.get(query_name, {"query": query_name})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()


class FakeQueue:
    """Acks every command with seq 1; `outcomes` by kind overrides that."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.outcomes: dict[str, Callable[[Command], Answer | Queued] | Exception] = {}

    async def ask(self, command: Command, *, queued_after_s: float | None) -> Answer | Queued:
        self.commands.append(command)
        outcome = self.outcomes.get(command.kind, acked)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome(command)


def acked(command: Command) -> Answer:
    frame: Wire = Ack(thread_id=command.thread_id, rev=1)
    if isinstance(command, StoreMessage):
        frame = MessageAck(
            client_message_id=command.client_message_id,
            thread_id=command.thread_id,
            status="sent",
            server_message_id=message_id(command.thread_id, 1),
            seq=1,
            rev=1,
            created_at="2026-01-31T12:00:00.000Z",
        )
    return Answer(command.id, True, encode(frame))


def refused(code: ErrorCode, text: str = "no") -> Callable[[Command], Answer]:
    row = ERRORS[code]
    frame = encode(Error(code=code, message=text, retryable=row.retryable, fate=row.fate))
    return lambda command: Answer(command.id, False, frame)


def queued(command: Command) -> Queued:
    return Queued(command.id)


class FakeNotifier:
    """Knows how users are seen (others were never seen), and what to say of webhooks."""

    def __init__(self) -> None:
        self.presence: dict[str, VersionedPresence] = {}
        self.missing: set[str] = set()
        self.asked: list[list[str]] = []
        self.hooks_asked: list[tuple[str, Wire, bool]] = []
        self.answers: dict[str, Any] = {}

    def sees(self, user_id: str, status: str, last_seen_at: str | None = None) -> None:
        self.presence[user_id] = VersionedPresence(
            user_id=user_id, status=status, last_seen_at=last_seen_at, version=len(self.presence) + 1
        )

    async def presence_of(self, user_ids: Collection[str]) -> dict[str, VersionedPresence]:
        self.asked.append(list(user_ids))
        unseen = {
            user_id: VersionedPresence(user_id=user_id, status="offline", last_seen_at=None, version=0)
            for user_id in user_ids
            if user_id not in self.missing
        }
        return unseen | {user_id: state for user_id, state in self.presence.items() if user_id in unseen}

    async def online(self, after: str | None, limit: int) -> OnlineUsers:
        if self.missing:
            raise presence_unavailable()
        found = [state for _, state in sorted(self.presence.items()) if state.status != "offline"]
        page = [state for state in found if after is None or state.user_id > after]
        items = [PresenceState(**state.model_dump(exclude={"version"})) for state in page[:limit]]
        return OnlineUsers(items=items, next_cursor=items[-1].user_id if len(page) > limit else None)

    async def ask_hooks(self, what: str, question: Wire, *, changes: bool = False) -> bytes:
        self.hooks_asked.append((what, question, changes))
        answer = self.answers.get(what, {"asked": what})
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()


class FakeVerifier:
    """Knows the tokens in `principals`."""

    def __init__(self) -> None:
        self.principals: dict[str, Principal] = {}

    async def verify(self, token: str) -> Principal:
        if token == "expired":
            raise Refusal(ErrorCode.TOKEN_EXPIRED, "the token's exp has passed")
        if token not in self.principals:
            raise Refusal(ErrorCode.AUTH_FAILED, "the token's signature is wrong")
        return self.principals[token]


class Rest:
    """The app with its fakes, and a client that speaks for alice."""

    def __init__(self, **settings: Any) -> None:
        self.settings = GatewaySettings(**({"gateway_jwt_secret": SECRET, "gateway_id": "gw-test"} | settings))
        self.store = FakeStore()
        self.queue = FakeQueue()
        self.verifier = FakeVerifier()
        self.verifier.principals["alice-token"] = Principal(user_id="alice", user_type="user")
        self.verifier.principals["bot-token"] = Principal(user_id="bot", scopes=frozenset({"chat:system"}))
        self.health = Health("nats")
        self.notifier = FakeNotifier()
        self.verifier.principals["root-token"] = Principal(user_id="root", scopes=frozenset({"chat:admin"}))
        self.app: FastAPI = build_rest(
            self.settings, self.verifier, self.store, self.queue, self.health, notifier=self.notifier
        )

    def client(self, token: str | None = "alice-token", **headers: str) -> httpx.AsyncClient:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    @property
    def opened(self) -> list[str]:
        return [command.thread_id for command in self.queue.commands if isinstance(command, CreateThread)]


def problem(response: httpx.Response, code: ErrorCode) -> dict[str, Any]:
    """The problem in a response, after checking that it is one, with this code and its status."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert response.status_code == body["status"]
    assert body["retryable"] == ERRORS[code].retryable
    assert body["fate"] == ERRORS[code].fate
    return body

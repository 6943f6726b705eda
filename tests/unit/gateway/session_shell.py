"""A shell around a session that writes down what it is asked to do."""

from __future__ import annotations

import json
from typing import Any

from chatterbus_contracts.codec import Wire, decode, encode
from chatterbus_contracts.commands import COMMAND, Command
from chatterbus_contracts.errors import CloseCode, ErrorCode, Refusal
from chatterbus_contracts.frames.client import ClientFrame, SetPresence, WatchPresence
from chatterbus_contracts.ids import GatewayId, ThreadId, UserId
from chatterbus_gateway.effects import Choice
from chatterbus_gateway.encoded_command import EncodedCommand
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.session import Session

ANNA = Principal(user_id=UserId("anna"), user_type="user", expires_at=5_000.0)
UNIX_S = 1_000.0
TOKENS = {
    "anna": ANNA,
    "bob": Principal(user_id=UserId("bob"), user_type="user", expires_at=5_000.0),
    "system": Principal(user_id=UserId("anna"), scopes=frozenset({"chat:system"}), expires_at=5_000.0),
}


class Shell:
    """Implements Effects. Tokens are names of TOKENS; `later` stands for one that needs a fetch. So are tickets."""

    def __init__(self, policy: SocketPolicy | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.commands: list[tuple[Command, ClientFrame | None]] = []
        self.follows: list[tuple[ThreadId, int | None, ClientFrame]] = []
        self.unfollows: list[ThreadId] = []
        self.cursors: list[tuple[ThreadId, int | None, int | None]] = []
        self.typing: list[tuple[ThreadId, bool]] = []
        self.choices: list[tuple[Choice, SetPresence]] = []
        self.watches: list[tuple[list[UserId], WatchPresence]] = []
        self.pings = 0
        self.away: list[bool] = []
        self.closed: list[CloseCode] = []
        self.verifying: list[str] = []
        self.redeeming: list[str] = []
        self.queue_refuses: Refusal | None = None
        self.user_full = False
        self.now_s = 0.0
        self.session = Session("c1", GatewayId("g1"), policy or SocketPolicy(), self, 0.0)

    def say(self, **frame: Any) -> list[dict[str, Any]]:
        """What is sent in return."""
        return self.say_raw(json.dumps(frame))

    def say_raw(self, text: str) -> list[dict[str, Any]]:
        before = len(self.sent)
        self.session.receive(text, self.now_s)
        return self.sent[before:]

    def open(self, token: str = "anna") -> Shell:
        self.say(type="auth", token=token)
        assert self.sent[-1]["type"] == "auth_success"
        return self

    def send(self, frame: Wire) -> None:
        self.sent.append(json.loads(encode(frame)))

    def forward(self, frame: bytes) -> None:
        self.sent.append(json.loads(frame))

    def verify(self, token: str) -> None:
        if token == "later":
            self.verifying.append(token)
        elif token in TOKENS:
            self.session.authenticated(TOKENS[token], self.now_s, UNIX_S + self.now_s)
        else:
            self.session.auth_refused(Refusal(ErrorCode.AUTH_FAILED, "the token is malformed"))

    def redeem(self, ticket: str) -> None:
        if ticket.startswith("later"):
            self.redeeming.append(ticket)
        else:
            self.verify(ticket)

    def welcome(self, principal: Principal) -> None:
        if self.user_full:
            raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, "a user has 20 connections at most")
        self.sent.append({"type": "auth_success", "userId": principal.user_id})

    def submit(self, command: EncodedCommand, request: ClientFrame) -> None:
        if self.queue_refuses is not None:
            raise self.queue_refuses
        self.commands.append((decoded(command), request))

    def post(self, command: EncodedCommand) -> None:
        self.commands.append((decoded(command), None))

    def follow(self, thread_id: ThreadId, since_rev: int | None, request: ClientFrame) -> None:
        self.follows.append((thread_id, since_rev, request))

    def unfollow(self, thread_id: ThreadId, request: ClientFrame) -> None:
        self.unfollows.append(thread_id)

    def move_cursor(self, thread_id: ThreadId, delivered_seq: int | None, read_seq: int | None) -> None:
        self.cursors.append((thread_id, delivered_seq, read_seq))

    def notify_typing(self, thread_id: ThreadId, is_typing: bool) -> None:
        self.typing.append((thread_id, is_typing))

    def choose_presence(self, status: Choice, request: SetPresence) -> None:
        if self.queue_refuses is not None:
            raise self.queue_refuses
        self.choices.append((status, request))

    def watch_presence(self, user_ids: list[UserId], request: WatchPresence) -> None:
        self.watches.append((user_ids, request))

    def pong(self, ping_id: str | None) -> None:
        self.sent.append({"type": "pong", "id": ping_id})

    def set_away(self, *, away: bool) -> None:
        self.away.append(away)

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: CloseCode, reason: str) -> None:
        self.closed.append(code)


def decoded(command: EncodedCommand) -> Command:
    value = decode(COMMAND, command.data)
    assert (value.id, value.thread_id) == (command.id, command.thread_id)
    return value

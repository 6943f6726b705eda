"""One connection's conversation: what comes in, given what was said before. Pure: no await, no clock, no logger.

Promises: nothing is accepted before auth; every request is answered exactly once (by the shell, for what it was
asked to do); identity comes from the token, and a frame that claims another is refused; nothing a client sends raises.
After `close` nothing more is accepted or sent. Does not decide who may see or write a thread: the ledger does.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ERRORS, CloseCode, ErrorCode, Refusal
from chatterbus_contracts.frames.client import Auth, ClientFrame, SendMessage, Subscribe, Typing, decode_client_frame
from chatterbus_contracts.frames.server import MessageAck, TokenExpiring
from chatterbus_contracts.ids import ClientMessageId, CommandId, GatewayId, ThreadId
from chatterbus_gateway.effects import Effects
from chatterbus_gateway.encoded_command import EncodedCommand
from chatterbus_gateway.error_frames import decode_error_frame, error_frame
from chatterbus_gateway.outcome import Outcome, Queued
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.presence.activity import QUIET_FRAMES, Activity
from chatterbus_gateway.principal import DEFAULT_USER_TYPE, Principal
from chatterbus_gateway.requests import HANDLERS, RETRY_SOON_MS, check_identity, follow
from chatterbus_gateway.token_bucket import TokenBucket
from chatterbus_gateway.wall_time import iso_time

_NO_THREADS: Final[frozenset[ThreadId]] = frozenset()


class State(IntEnum):
    """How far the conversation is."""

    NEW = 0
    AUTHENTICATING = 1
    OPEN = 2
    CLOSING = 3


NEW: Final = State.NEW  # CPython 3.11 looks members up by name each time, which shows in what every frame does
AUTHENTICATING: Final = State.AUTHENTICATING
OPEN: Final = State.OPEN
CLOSING: Final = State.CLOSING


class Session:
    """The state machine. `now_s` is monotonic; `unix_s` is wall-clock, for what tokens and frames say."""

    __slots__ = (
        "_bad_frames",
        "_bucket",
        "_floods",
        "_held",
        "_numbers",
        "_opened_at_s",
        "_warned",
        "activity",
        "auth",
        "connection_id",
        "dev_threads",
        "effects",
        "expires_s",
        "gateway_id",
        "heard_s",
        "in_flight",
        "pinged_s",
        "policy",
        "principal",
        "state",
        "threads",
    )

    def __init__(
        self, connection_id: str, gateway_id: GatewayId, policy: SocketPolicy, effects: Effects, now_s: float
    ) -> None:
        self.connection_id = connection_id
        self.gateway_id = gateway_id
        self.policy = policy
        self.effects = effects
        self.state = NEW
        self.principal: Principal | None = None
        self.auth: Auth | None = None  # whose token or ticket is being checked
        self.in_flight = 0
        self.threads: set[ThreadId] | frozenset[ThreadId] = _NO_THREADS  # followed, or about to be
        self.dev_threads: set[ThreadId] | None = None  # development mode: threads that were created on first use
        self.expires_s: float | None = None  # monotonic
        self.heard_s = now_s
        self.activity = Activity(effects, now_s)
        self._opened_at_s = now_s
        self.pinged_s = now_s
        self._warned = False
        self._held: list[ClientFrame] | None = None
        self._numbers = 0
        self._bucket = TokenBucket(policy.frames_per_s, policy.frames_burst, now_s)
        self._floods: TokenBucket | None = None
        self._bad_frames: TokenBucket | None = None

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, payload: str, now_s: float) -> None:
        """A text message of the client."""
        self.heard_s = now_s
        if self.state is CLOSING:
            return
        wait_s = self._bucket.take(now_s)
        try:
            frame = decode_client_frame(payload)
        except DecodeError as error:
            self._undecodable(error, payload, wait_s, now_s)
            return
        if wait_s:
            self._flooded(frame, wait_s, now_s)
        elif self.state is OPEN:
            if type(frame) not in QUIET_FRAMES:
                activity = self.activity
                activity.active_s = now_s
                if activity.is_away:
                    activity.wake()
            self._handle(frame)
        else:
            self._before_open(frame)

    def start_with_token(self, token: str) -> None:
        """The upgrade request carried a token: as if auth had come."""
        self._before_open(Auth(token=token))

    def authenticated(self, principal: Principal, now_s: float, unix_s: float) -> None:
        """The token of the auth that was asked about is good."""
        if self.state is CLOSING or self.auth is None:
            return
        auth, self.auth = self.auth, None
        try:
            self._enter(auth, principal, now_s, unix_s)
        except Refusal as refusal:
            self._auth_failed(auth, refusal)
            return
        if auth.thread_id is not None:
            try:
                follow(self, auth.thread_id, auth.since_rev, auth)
            except Refusal as refusal:
                self._refuse(auth, refusal)
        held, self._held = self._held, None
        for frame in held or ():
            if self.state is OPEN:
                self._handle(frame)

    def auth_refused(self, refusal: Refusal) -> None:
        """The token of the auth that was asked about is not good."""
        if self.state is CLOSING or self.auth is None:
            return
        auth, self.auth = self.auth, None
        self._auth_failed(auth, refusal)

    def settled(self, request: ClientFrame, outcome: Outcome) -> None:
        """What became of a submitted command: perhaps Queued first, then one final outcome."""
        if type(outcome) is Queued:
            if self.state is OPEN and isinstance(request, SendMessage):
                client_message_id = request.client_message_id or ClientMessageId(outcome.command_id)
                self.effects.send(
                    MessageAck(client_message_id=client_message_id, thread_id=request.thread_id, status="queued")
                )
            return
        self.in_flight -= 1
        if self.state is not OPEN:
            return
        if type(request) is Subscribe or type(request) is Auth:  # isinstance is slow for what a model is not
            self._thread_opened(request, outcome)
        elif isinstance(outcome, Answer):
            self.effects.forward(outcome.frame)
        elif isinstance(outcome, Refusal):
            self._refuse(request, outcome)

    def follow_refused(self, request: ClientFrame, refusal: Refusal) -> None:
        """The subscribe was refused."""
        if self.state is OPEN:
            self._refuse(request, refusal)

    def unfollowed(self, thread_id: ThreadId) -> None:
        """The thread is not followed any more."""
        if isinstance(self.threads, set):
            self.threads.discard(thread_id)

    def tick(self, now_s: float, unix_s: float) -> float:
        """Do what time demands; returns when to be asked again at the latest."""
        policy = self.policy
        if self.state is CLOSING:
            return now_s + policy.closing_deadline_s
        if self.state is not OPEN:
            return self._tick_before_open(now_s)
        if now_s - self.heard_s >= policy.silence_max_s:
            self.close(CloseCode.HEARTBEAT_MISSED, "nothing was heard for too long")
            return now_s
        away_due_s = self.activity.due_s(now_s, policy.away_after_s)
        next_s = min(self._ping_due(now_s), self.heard_s + policy.silence_max_s, away_due_s)
        if self.expires_s is not None:
            next_s = min(next_s, self._expiry_due(self.expires_s, now_s, unix_s))
        return next_s

    def close(self, code: CloseCode, reason: str) -> None:
        """End the conversation."""
        if self.state is CLOSING:
            return
        self.ended()
        self.effects.close(code, reason)

    def ended(self) -> None:
        """The socket is gone, or the client said goodbye."""
        self.state = CLOSING
        self._held = None
        self.auth = None

    # --- for the handlers of requests --------------------------------------------------------------------------------

    @property
    def speaker(self) -> Principal:
        """Who speaks; only to be asked of an open session."""
        if self.principal is None:
            raise RuntimeError("nobody has authenticated")
        return self.principal

    @property
    def is_attending(self) -> bool:
        """Whether there is somebody to read what is sent."""
        return self.state is OPEN and not self.activity.is_away

    def declare(self, *, away: bool) -> None:
        """The client says that its person is away, until it says the opposite."""
        self.activity.declare(away=away)

    def begin_auth(self, auth: Auth) -> None:
        """Find out whether its token or ticket is good."""
        self.auth = auth
        if auth.token is not None and auth.ticket is not None:
            self.auth_refused(Refusal(ErrorCode.BAD_FRAME, "token and ticket: one of them is enough"))
        elif auth.ticket is not None:
            self.effects.redeem(auth.ticket)
        elif auth.token is not None:
            self.effects.verify(auth.token)
        elif self.policy.dev_mode and auth.user_id is not None:
            user_type = auth.user_type or DEFAULT_USER_TYPE
            principal = Principal(user_id=auth.user_id, user_type=user_type, name=auth.name, dev=True)
            self.authenticated(principal, self.heard_s, 0.0)
        else:
            self.auth_refused(Refusal(ErrorCode.AUTH_REQUIRED, "auth needs a token or a ticket"))

    def add_thread(self, thread_id: ThreadId) -> None:
        """Count a thread that is about to be followed. Raises Refusal."""
        if thread_id in self.threads:
            return
        if len(self.threads) >= self.policy.threads_max:
            raise Refusal(ErrorCode.TOO_MANY_SUBSCRIPTIONS, f"a connection follows {len(self.threads)} threads at most")
        if not isinstance(self.threads, set):
            self.threads = set()
        self.threads.add(thread_id)

    def submit(self, command: EncodedCommand, request: ClientFrame) -> None:
        """Queue a command whose outcome comes to `settled`. Raises Refusal."""
        self.check_room()
        self.effects.submit(command, request)
        self.in_flight += 1

    def check_room(self) -> None:
        """Raise Refusal when another request may not wait for its outcome."""
        if self.in_flight >= self.policy.in_flight_max:
            raise Refusal(
                ErrorCode.TOO_MANY_IN_FLIGHT, "too many requests are unanswered", retry_after_ms=RETRY_SOON_MS
            )

    def next_command_id(self) -> CommandId:
        """Unique: a connection's id is, in all processes and for ever."""
        self._numbers += 1
        return CommandId(f"{self.connection_id}-{self._numbers}")

    # --- auth --------------------------------------------------------------------------------------------------------

    def _before_open(self, frame: ClientFrame) -> None:
        if self.state is AUTHENTICATING:
            if self._held is None:
                self._held = []
            if len(self._held) < self.policy.held_frames_max:
                self._held.append(frame)
                return
        elif isinstance(frame, Auth):
            self.state = AUTHENTICATING
            self.begin_auth(frame)
            return
        self._refuse(frame, Refusal(ErrorCode.AUTH_REQUIRED, "send auth first"))
        self.close(CloseCode.AUTH_FAILED, "auth required")

    def _enter(self, auth: Auth, principal: Principal, now_s: float, unix_s: float) -> None:
        if principal.dev and not self.policy.dev_mode:  # by the ticket of a gateway that is
            raise Refusal(ErrorCode.AUTH_FAILED, "the ticket was bought in development mode")
        check_identity(principal, auth.user_id, auth.user_type)
        if self.principal is not None:
            check_identity(self.principal, principal.user_id, principal.user_type)
        expires_s = None
        if principal.expires_at is not None:
            expires_s = now_s + principal.expires_at - unix_s
            if expires_s <= now_s:
                raise Refusal(ErrorCode.TOKEN_EXPIRED, "the token has expired")
        self.effects.welcome(principal)
        if self.principal is None:
            self.activity.active_s = now_s
        self.principal = principal
        self.expires_s = expires_s
        self._warned = False
        self.state = OPEN

    def _auth_failed(self, auth: Auth, refusal: Refusal) -> None:
        self._refuse(auth, refusal)
        if self.state is not OPEN:  # else a renewal: the token that is in force stays so until it expires
            otherwise = CloseCode.INTERNAL if ERRORS[refusal.code].retryable else CloseCode.AUTH_FAILED
            self.close(_AUTH_CLOSES.get(refusal.code, otherwise), "auth was refused")

    # --- common ------------------------------------------------------------------------------------------------------

    def _handle(self, frame: ClientFrame) -> None:
        try:
            HANDLERS[type(frame)](self, frame)
        except Refusal as refusal:
            self._refuse(frame, refusal)

    def _thread_opened(self, request: Subscribe | Auth, outcome: Outcome) -> None:
        # Whether it was created, or is somebody's own thread and was not: the store's answer to the sync decides.
        if request.thread_id is None:
            return
        if isinstance(outcome, Refusal):
            self.unfollowed(request.thread_id)
            self._refuse(request, outcome)
        else:
            self.effects.follow(request.thread_id, request.since_rev, request)

    def _refuse(self, request: ClientFrame, refusal: Refusal) -> None:
        self.effects.send(error_frame(refusal, request))

    def _undecodable(self, error: DecodeError, payload: str, wait_s: float, now_s: float) -> None:
        self.effects.send(decode_error_frame(error, payload))
        if self.state is not OPEN:
            self.close(CloseCode.AUTH_FAILED, "auth required")
        elif error.code is not ErrorCode.UNKNOWN_TYPE:
            policy = self.policy
            if self._bad_frames is None:
                self._bad_frames = TokenBucket(1.0 / policy.bad_frame_forgiven_s, policy.bad_frames_max, now_s)
            if self._bad_frames.take(now_s):
                self.close(CloseCode.PROTOCOL_VIOLATION, "too many malformed frames")
        elif wait_s:
            self._count_flood(now_s)

    def _flooded(self, frame: ClientFrame, wait_s: float, now_s: float) -> None:
        if not isinstance(frame, Typing):
            retry_after_ms = int(wait_s * 1000) + 1
            self._refuse(
                frame,
                Refusal(ErrorCode.RATE_LIMITED, "too many frames in a short time", retry_after_ms=retry_after_ms),
            )
        self._count_flood(now_s)

    def _count_flood(self, now_s: float) -> None:
        if self._floods is None:
            self._floods = TokenBucket(1.0, self.policy.floods_max, now_s)
        if self._floods.take(now_s):
            self.close(CloseCode.RATE_LIMITED, "the flood went on")

    # --- time --------------------------------------------------------------------------------------------------------

    def _tick_before_open(self, now_s: float) -> float:
        deadline_s = self._opened_at_s + self.policy.auth_deadline_s
        if now_s >= deadline_s:
            self.close(CloseCode.AUTH_TIMEOUT, "no auth came in time")
        return deadline_s

    def _ping_due(self, now_s: float) -> float:
        due_s = self.pinged_s + self.policy.ping_every_s
        if now_s < due_s:
            return due_s
        self.pinged_s = now_s
        self.effects.ping()
        return now_s + self.policy.ping_every_s

    def _expiry_due(self, expires_s: float, now_s: float, unix_s: float) -> float:
        if now_s >= expires_s:
            self.close(CloseCode.TOKEN_EXPIRED, "the token expired")
            return now_s
        warning_s = expires_s - self.policy.token_warning_s
        if now_s < warning_s:
            return warning_s
        if not self._warned:
            self._warned = True
            self.effects.send(TokenExpiring(expires_at=iso_time(unix_s + expires_s - now_s)))
        return expires_s


_AUTH_CLOSES: Final[dict[ErrorCode, CloseCode]] = {
    ErrorCode.TOKEN_EXPIRED: CloseCode.TOKEN_EXPIRED,
    ErrorCode.TOKEN_REVOKED: CloseCode.TOKEN_EXPIRED,
    ErrorCode.TOO_MANY_CONNECTIONS: CloseCode.TOO_MANY_CONNECTIONS,
}

"""Keeps one connection: connect, authenticate, serve, come back.

Promises: states change in the order connecting, authenticating, catching_up, online, and to offline or closed from any
of them; `opened` and `lost` alternate. Whether and when to come back is reconnect_policy's. A token is renewed on the
open socket when the server says that it expires. One log line per connection opened and lost.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from chatterbus_client.addresses import Addresses
from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.errors import NoToken, Refused, Unreachable
from chatterbus_client.events import ConnectionChanged, State
from chatterbus_client.identity import Identity
from chatterbus_client.pace import Pace
from chatterbus_client.reconnect_policy import ReconnectPolicy, Stop
from chatterbus_client.settings import ClientSettings
from chatterbus_contracts import PROTOCOL_VERSION
from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import Auth
from chatterbus_contracts.frames.server import AuthSuccess, Error, Reconnect, ServerFrame, TokenExpiring

log = logging.getLogger(__name__)

_SPENT: Final = frozenset({ErrorCode.TOKEN_EXPIRED, ErrorCode.TOKEN_REVOKED})  # another token may do


class LinkObserver(Protocol):
    """Who is told what happens on the link. Calls are synchronous and short."""

    def opened(self, connection: Connection, success: AuthSuccess) -> None:
        """The server accepted us."""

    def lost(self) -> None:
        """The connection that was opened is gone."""

    def received(self, frame: ServerFrame) -> None:
        """A frame came."""

    def changed(self, change: ConnectionChanged) -> None:
        """The state changed."""


class Link:
    """See the module. `run` is the one task of it."""

    def __init__(
        self,
        addresses: Addresses,
        identity: Identity,
        settings: ClientSettings,
        policy: ReconnectPolicy,
        observer: LinkObserver,
    ) -> None:
        self._addresses = addresses
        self._identity = identity
        self._settings = settings
        self._policy = policy
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing = False
        self._renew_at = 0.0
        self.state = State.OFFLINE
        self.reason = "not started"
        self.failures = 0
        self.refused: Refused | None = None
        self.close_code: int | None = None

    async def run(self) -> None:
        """Serve until cancelled, or until the server says not to come back."""
        now = asyncio.get_running_loop().time
        fresh_token = False
        while True:
            lost = await self._live(fresh_token=fresh_token)
            decision = self._policy.lost(lost.code, now())
            self.failures += 1
            if isinstance(decision, Stop):
                log.warning("closed for good: %s", decision.reason)
                self.close_code = decision.code
                self._change(State.CLOSED, decision.reason)
                return
            log.info("offline: %s; next attempt in %.1f s", lost, decision.delay_s)
            self._change(State.OFFLINE, lost.reason, decision.delay_s)
            fresh_token = decision.fresh_token
            await asyncio.sleep(decision.delay_s)

    def caught_up(self) -> None:
        """Everything followed is up to date."""
        if self.state is State.CATCHING_UP:
            self._change(State.ONLINE)

    def behind(self) -> None:
        """Something followed has to catch up."""
        if self.state is State.ONLINE:
            self._change(State.CATCHING_UP)

    async def _live(self, *, fresh_token: bool) -> ConnectionLost:
        self._change(State.CONNECTING)
        try:
            token = await (self._identity.fresh_token() if fresh_token else self._identity.token())
        except NoToken as error:
            return ConnectionLost(None, str(error))
        try:
            connection = await Connection.open(self._addresses, self._settings)
        except Unreachable as error:
            return ConnectionLost(None, error.reason)
        try:
            return await self._serve(connection, token)
        finally:
            await connection.close()

    async def _serve(self, connection: Connection, token: str | None) -> ConnectionLost:
        self._change(State.AUTHENTICATING)
        try:
            async with asyncio.timeout(self._settings.auth_timeout_s):
                success = await self._authenticate(connection, token)
        except TimeoutError:
            return ConnectionLost(None, "no answer to auth")
        except ConnectionLost as lost:
            return lost
        now = asyncio.get_running_loop().time()
        self._policy.opened(now)
        connection.pace = Pace.of_limits(success.limits, now)
        self.failures = 0
        log.info("online as %s, connection %s", success.user_id, success.connection_id)
        alive = asyncio.create_task(connection.keep_alive(success.heartbeat_interval_ms / 1000))
        self._change(State.CATCHING_UP)
        self._observer.opened(connection, success)
        try:
            while True:
                self._received(connection, await connection.receive())
        except ConnectionLost as lost:
            return lost
        finally:
            alive.cancel()
            for task in self._tasks:
                task.cancel()
            self._observer.lost()

    async def _authenticate(self, connection: Connection, token: str | None) -> AuthSuccess:
        await connection.send(self._auth(token))
        self.refused = None
        while True:
            try:
                frame = await connection.receive()
            except ConnectionLost as lost:
                if self.refused is not None and self.refused.code in _SPENT:
                    raise ConnectionLost(CloseCode.TOKEN_EXPIRED, lost.reason) from None
                raise
            if isinstance(frame, AuthSuccess):
                return frame
            if isinstance(frame, Error):
                self.refused = Refused.by_frame(frame)

    def _auth(self, token: str | None) -> Auth:
        identity = self._identity
        if token is not None:
            return Auth.model_validate(
                {"token": token, "name": identity.name, "protocol_version": PROTOCOL_VERSION},
            )
        return Auth.model_validate(
            {
                "user_id": identity.user_id,
                "user_type": identity.user_type,
                "name": identity.name,
                "protocol_version": PROTOCOL_VERSION,
            }
        )

    def _received(self, connection: Connection, frame: ServerFrame) -> None:
        if isinstance(frame, TokenExpiring) and self._identity.can_renew and not self._renewing:
            self._renewing = True
            self._spawn(self._renew(connection))
        elif isinstance(frame, Reconnect):
            connection.draining = True
            self._policy.told_to_return(frame.after_ms, asyncio.get_running_loop().time())
            self._spawn(_leave(connection, frame.after_ms / 1000))
        self._observer.received(frame)

    async def _renew(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time
        try:
            await asyncio.sleep(max(0.0, self._renew_at - now()))
            self._renew_at = now() + self._settings.renew_pause_s
            token = await self._identity.fresh_token()
            self._renewing = False
            await connection.send(self._auth(token))
        except ConnectionLost:
            return  # the next connection asks again
        except NoToken as error:
            log.warning("the token was not renewed: %s", error)  # the socket lives on until it expires
        finally:
            self._renewing = False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _change(self, state: State, reason: str = "", retry_in_s: float | None = None) -> None:
        self.state, self.reason = state, reason
        self._observer.changed(ConnectionChanged(state, reason, retry_in_s))


async def _leave(connection: Connection, after_s: float) -> None:
    # Until then the gateway answers what it has taken in.
    await asyncio.sleep(after_s)
    await connection.close()

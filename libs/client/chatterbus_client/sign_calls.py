"""What a client sees, says and asks about people: presence, typing, and what is not read.

The views need no call: they are filled as soon as there is a connection, and move by themselves (`signs`). Raised by
the calls: Refused; Unreachable when no answer came in time; NotConnected when there was no connection all that time.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Literal, Protocol

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.draft import checked
from chatterbus_client.following import Following
from chatterbus_client.presence_view import Presence
from chatterbus_client.presence_wishes import PresenceWishes
from chatterbus_client.requests import Requests
from chatterbus_client.rest import Rest
from chatterbus_client.signs import Signs
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SetPresence, Typing, WatchPresence
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.limits import PRESENCE_PAGE_MAX
from chatterbus_contracts.rest import OnlineUsers
from chatterbus_contracts.states import PresenceState, UnreadItem

Chosen = Literal["online", "away", "dnd", "invisible"]


class Parts(Protocol):
    """What the calls are made with."""

    _rest: Rest
    _requests: Requests
    _following: Following
    _signs: Signs
    _wishes: PresenceWishes
    _connection: Connection | None

    def _forget_unseen(self) -> None: ...


class SignCalls:
    """Part of Client."""

    # Who is here

    @property
    def presence(self: Parts) -> Mapping[str, Presence]:
        """How others are seen, by user id: the members of followed threads (of up to 100 members), those watched, and
        oneself. A view that moves; it may be old while there is no connection."""
        return self._signs.presence

    async def set_presence(self: Parts, status: Chosen) -> None:
        """How to be seen. `dnd` and `invisible`: on all devices, across restarts, until `online`. `away`: this client
        alone, across reconnects, until `online`. Returns when it is so."""
        frame = checked(SetPresence, {"status": status}, ErrorCode.BAD_REQUEST)
        if frame.status in ("away", "online"):
            self._wishes.is_away = frame.status == "away"
        await self._requests.ask(frame)

    async def watch_presence(self: Parts, user_ids: Collection[str]) -> None:
        """Hear of these users (200 at most) from now on, across reconnects, in place of those of the last call. Does
        not wait for an answer. One whom we may not watch looks like one whom nobody has ever seen."""
        self._wishes.watch(checked(WatchPresence, {"user_ids": list(user_ids)}, ErrorCode.BAD_REQUEST))
        self._signs.presence.asked(set(user_ids) - self._following.member_ids())
        self._forget_unseen()

    async def user_presence(self: Parts, user_id: str) -> PresenceState:
        """How a user is seen. One whom we may not see: offline, never seen."""
        return await self._rest.user_presence(user_id)

    async def online_users_page(self: Parts, *, cursor: str | None = None, limit: int = 50) -> OnlineUsers:
        """Up to `limit` (200) users that are here and that we may see, by user id, and the cursor of the next page."""
        return await self._rest.online_users(cursor=cursor, limit=limit)

    async def online_users(self: Parts, *, page_size: int = PRESENCE_PAGE_MAX) -> AsyncGenerator[PresenceState, None]:
        """Those users, fetched page by page while they are read: `async for`."""
        cursor: str | None = None
        while True:
            page = await self._rest.online_users(cursor=cursor, limit=min(page_size, PRESENCE_PAGE_MAX))
            for state in page.items:
                yield state
            if (cursor := page.next_cursor) is None:
                return

    # Who is writing

    def writers(self: Parts, thread_id: str) -> frozenset[str]:
        """Who is writing in a followed thread just now."""
        return self._signs.typing.writers(thread_id)

    async def typing(self: Parts, thread_id: str, is_typing: bool = True) -> None:
        """Say that the user is writing. Dropped when offline, or out of breath: later it would be stale."""
        connection = self._connection
        if connection is not None and connection.pace.allowance(asyncio.get_running_loop().time()):
            with contextlib.suppress(ConnectionLost):
                await connection.send(Typing(thread_id=ThreadId(thread_id), is_typing=is_typing))

    # What is not read

    @property
    def unread_threads(self: Parts) -> Mapping[str, UnreadItem]:
        """Threads in which something is unread, by id, followed or not. A view that moves; when `unread_is_partial`
        only the newest of them are in it, and `unread()` has them all."""
        return self._signs.unread

    @property
    def unread_is_partial(self: Parts) -> bool:
        """Whether more threads have something unread than `unread_threads` names."""
        return self._signs.unread.is_partial

    @property
    def total_unread(self: Parts) -> int:
        """Unread messages over all threads that are not muted."""
        return self._signs.unread.total

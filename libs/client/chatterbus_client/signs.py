"""What comes and goes around the messages: who is here, who is writing, what is not read.

Promises: the views move by themselves, and each change of one is emitted once. A writer is forgotten in time without
a frame that says so, and all of them with the connection. What earlier connections told of people is forgotten a while
after a new one is open, unless it was told again; with another store all of it is forgotten at once.
"""

import asyncio
from collections.abc import Callable, Set

from chatterbus_client.events import ClientEvent, PresenceChanged, TypingChanged, UnreadChanged
from chatterbus_client.presence_view import UNKNOWN, PresenceView
from chatterbus_client.settings import ClientSettings
from chatterbus_client.typing_view import TypingView
from chatterbus_client.unread_view import UnreadView
from chatterbus_contracts.frames.server import PresenceNotice, TypingNotice, UnreadNotice, UnreadSnapshot


class Signs:
    """The three views of one client."""

    def __init__(self, settings: ClientSettings, emit: Callable[[ClientEvent], None]) -> None:
        self._settings = settings
        self._emit = emit
        self._epoch: str | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None
        self.presence = PresenceView(settings.presence_max)
        self.unread = UnreadView()
        self.typing = TypingView(settings.writers_max)

    def opened(self, epoch: str | None) -> None:
        """A new connection."""
        if epoch is not None and self._epoch is not None and epoch != self._epoch:
            self.hear_only_of(frozenset())
            for thread_id in self.unread.clear():
                self._tell_unread(thread_id)
        self._epoch = epoch or self._epoch
        self.presence.connected()
        self._settling = asyncio.get_running_loop().call_later(self._settings.presence_settles_s, self._forget_untold)

    def lost(self) -> None:
        """The connection is gone."""
        for timer in (self._settling, self._expiry):
            if timer is not None:
                timer.cancel()
        self._settling = self._expiry = None
        self._tell_writers(self.typing.clear())

    def hear_only_of(self, user_ids: Set[str]) -> None:
        """The server tells of nobody else any more."""
        self._tell_unknown(self.presence.keep_only(user_ids))

    def received_presence(self, notice: PresenceNotice) -> None:
        """How somebody is seen now."""
        if self.presence.receive(notice):
            self._emit(PresenceChanged(notice.user_id, self.presence[notice.user_id]))

    def received_unread(self, notice: UnreadNotice) -> None:
        """What is not read in a thread now."""
        if self.unread.receive(notice):
            self._tell_unread(notice.thread_id)

    def received_snapshot(self, snapshot: UnreadSnapshot) -> None:
        """All that is not read now."""
        total = self.unread.total
        changed = self.unread.receive_snapshot(snapshot)
        for thread_id in changed:
            self._tell_unread(thread_id)
        if not changed and total != self.unread.total:
            self._tell_unread(None)

    def received_typing(self, notice: TypingNotice) -> None:
        """Somebody is writing, or stopped."""
        self._emit(notice)
        if self.typing.receive(notice, asyncio.get_running_loop().time()):
            self._tell_writers({notice.thread_id})
        self._set_expiry()

    def said(self, thread_id: str, user_id: str) -> None:
        """Somebody has said it."""
        if self.typing.said(thread_id, user_id):
            self._tell_writers({thread_id})

    def _forget_untold(self) -> None:
        self._tell_unknown(self.presence.forget_untold())

    def _tell_unknown(self, user_ids: list[str]) -> None:
        for user_id in user_ids:
            self._emit(PresenceChanged(user_id, UNKNOWN))

    def _tell_unread(self, thread_id: str | None) -> None:
        item = self.unread.get(thread_id) if thread_id is not None else None
        self._emit(UnreadChanged(thread_id, item, self.unread.total))

    def _tell_writers(self, threads: set[str]) -> None:
        for thread_id in sorted(threads):
            self._emit(TypingChanged(thread_id, self.typing.writers(thread_id)))

    def _set_expiry(self) -> None:
        end_s = self.typing.next_end
        if self._expiry is None and end_s is not None:
            self._expiry = asyncio.get_running_loop().call_at(end_s, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self._tell_writers(self.typing.expire(asyncio.get_running_loop().time()))
        self._set_expiry()

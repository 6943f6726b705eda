"""What a client asks and does about threads. One REST call each, unless it says otherwise.

Every one of them raises Refused, and Unreachable when no answer came within `request_timeout_s`: then it may have
happened. All of them can be said again.
"""

from collections.abc import AsyncGenerator, Sequence
from enum import Enum
from typing import Any, Final, Protocol

from chatterbus_client.cursor_teller import CursorTeller
from chatterbus_client.cursors import Cursors
from chatterbus_client.draft import checked
from chatterbus_client.following import Following
from chatterbus_client.requests import Requests
from chatterbus_client.rest import Rest
from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SendMarkUnread
from chatterbus_contracts.limits import THREADS_PAGE_MAX
from chatterbus_contracts.queries import ChangesPage, HistoryPage, Receipts, ThreadsPage, Unread
from chatterbus_contracts.states import ThreadDetail, ThreadState, ThreadSummary


class Unchanged(Enum):
    """Stands for "as it is", where None means "nothing"."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Parts(Protocol):
    """What the calls are made with."""

    _rest: Rest
    _requests: Requests
    _following: Following
    _cursors: Cursors
    _teller: CursorTeller

    async def _my_id(self) -> str: ...

    async def unfollow(self, thread_id: str) -> None: ...


class ThreadCalls:
    """Part of Client."""

    # The thread

    async def create_thread(
        self: Parts,
        thread_id: str | None = None,
        *,
        title: str | None = None,
        metadata: dict[str, Any] | None = None,
        members: Sequence[str | NewMember] = (),
    ) -> ThreadState:
        """Create a thread with its members (user ids, or NewMember); the same id again gives the same thread."""
        return await self._rest.create_thread(thread_id, title=title, metadata=metadata, members=_members(members))

    async def update_thread(
        self: Parts,
        thread_id: str,
        *,
        title: str | Unchanged | None = UNCHANGED,
        metadata: dict[str, Any] | Unchanged | None = UNCHANGED,
    ) -> None:
        """Set title (200 characters), metadata (8 KiB of JSON), or both; None clears. For owners."""
        fields = {"title": title, "metadata": metadata}
        await self._rest.update_thread(
            thread_id, {name: value for name, value in fields.items() if value is not UNCHANGED}
        )

    async def details(self: Parts, thread_id: str) -> ThreadDetail:
        """One thread with its members, their cursors, and (`own`) what it is to us."""
        details = await self._rest.details(thread_id)
        followed = self._following.get(thread_id)
        if followed is not None:
            followed.timeline.receive_details(details)
        return details

    async def history(
        self: Parts, thread_id: str, *, before_seq: int | None = None, after_seq: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """Messages in seq order; of a followed thread they are also loaded into its view."""
        page = await self._rest.history(thread_id, before_seq=before_seq, after_seq=after_seq, limit=limit)
        followed = self._following.get(thread_id)
        if followed is not None:
            followed.timeline.receive_history(page.items)
        return page

    async def changes(self: Parts, thread_id: str, since_rev: int, *, limit: int = 200) -> ChangesPage:
        """What changed in a thread since a rev, as current states."""
        return await self._rest.changes(thread_id, since_rev, limit=limit)

    async def receipts(self: Parts, thread_id: str) -> Receipts:
        """How far each member has received and read."""
        page = await self._rest.receipts(thread_id)
        items = list(page.items)
        while page.next_cursor is not None:
            page = await self._rest.receipts(thread_id, cursor=page.next_cursor)
            items += page.items
        return Receipts(thread_id=page.thread_id, items=items)

    # Members

    async def add_members(self: Parts, thread_id: str, members: Sequence[str | NewMember]) -> None:
        """Add members (user ids, or NewMember), or give them other roles. For owners."""
        await self._rest.add_members(thread_id, _members(members))

    async def remove_member(self: Parts, thread_id: str, user_id: str) -> None:
        """Take a member out. For owners. LAST_OWNER: a thread keeps at least one."""
        await self._rest.remove_member(thread_id, user_id)

    async def leave(self: Parts, thread_id: str) -> None:
        """End our own membership, and stop following."""
        me = await self._my_id()
        with self._following.leaving(thread_id):
            await self._rest.remove_member(thread_id, me)
            await self.unfollow(thread_id)

    # Our own view of it, which nobody else sees

    async def archive(self: Parts, thread_id: str) -> None:
        """Put a thread away until something new comes in it (for good, if it is muted)."""
        await self._rest.archive(thread_id, archived=True)

    async def unarchive(self: Parts, thread_id: str) -> None:
        """Take it back."""
        await self._rest.archive(thread_id, archived=False)

    async def mute(self: Parts, thread_id: str, muted: bool = True) -> None:
        """Whether it counts in the total of what is unread, and comes back from the archive by itself."""
        await self._rest.mute(thread_id, muted=muted)

    async def show_receipts(self: Parts, thread_id: str, show: bool = True) -> None:
        """Whether others see how far we have read."""
        await self._rest.show_receipts(thread_id, show=show)

    async def mark_read(self: Parts, thread_id: str, seq: int) -> None:
        """Everything up to `seq` was read. Told soon, and kept until a connection can tell it. Raises nothing."""
        if seq > 0 and self._cursors.read(thread_id, seq):
            self._teller.mark()

    async def mark_delivered(self: Parts, thread_id: str, seq: int) -> None:
        """Everything up to `seq` has arrived. Kept until a connection can tell it. Raises nothing. Of followed threads
        the client tells it by itself, unless it was made with `auto_deliver=False`."""
        if seq > 0 and self._cursors.delivered(thread_id, seq):
            self._teller.mark()

    async def mark_unread(self: Parts, thread_id: str, seq: int) -> None:
        """Unread from `seq` on, for ourselves; nobody is told. Over the socket: also raises NotConnected."""
        values = {"thread_id": thread_id, "seq": seq}
        frame = checked(SendMarkUnread, values, ErrorCode.BAD_REQUEST)
        self._cursors.forget(thread_id)
        await self._requests.ask(frame)

    # All of them

    async def threads_page(
        self: Parts, *, archived: bool = False, cursor: str | None = None, limit: int = 50
    ) -> ThreadsPage:
        """Our threads, newest activity first: up to `limit` (100) of them, and the cursor of the next page."""
        return await self._rest.threads(archived=archived, cursor=cursor, limit=limit)

    async def threads(
        self: Parts, *, archived: bool = False, page_size: int = 50
    ) -> AsyncGenerator[ThreadSummary, None]:
        """Our threads, newest activity first, fetched page by page while they are read: `async for`."""
        cursor: str | None = None
        limit = min(page_size, THREADS_PAGE_MAX)
        while True:
            page = await self._rest.threads(archived=archived, cursor=cursor, limit=limit)
            for summary in page.items:
                yield summary
            if (cursor := page.next_cursor) is None:
                return

    async def unread(self: Parts) -> Unread:
        """What we have not read."""
        return await self._rest.unread()


def _members(members: Sequence[str | NewMember]) -> list[NewMember]:
    return [
        member if isinstance(member, NewMember) else checked(NewMember, {"user_id": member}, ErrorCode.BAD_REQUEST)
        for member in members
    ]

"""The REST interface as methods: bodies and answers are models of the contracts. How one is made: http_client.

Ids that are part of an address are checked first, so a strange one is refused here and never leads to another address.
"""

from typing import Any, Final
from urllib.parse import quote

import httpx

from chatterbus_client.draft import checked, place_of, thread_part, user_part
from chatterbus_client.http_client import Http
from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.queries import (
    ChangesPage,
    HistoryPage,
    MessageReceipts,
    Receipts,
    Revisions,
    SearchPage,
    ThreadsPage,
    Unread,
)
from chatterbus_contracts.rest import (
    AddMembersBody,
    CreateThreadBody,
    MuteBody,
    OnlineUsers,
    QueuedMessage,
    ReceiptsBody,
    SendMessageBody,
    UpdateThreadBody,
)
from chatterbus_contracts.states import MessageState, PresenceState, ThreadDetail, ThreadState

THREADS: Final = "/api/chat/threads"
MESSAGES: Final = "/api/chat/messages"
USERS: Final = "/api/users"


class Rest:
    """One method for one route."""

    def __init__(self, http: Http) -> None:
        self._http = http

    # Threads

    async def create_thread(
        self,
        thread_id: str | None,
        *,
        title: str | None,
        metadata: dict[str, Any] | None,
        members: list[NewMember],
    ) -> ThreadState:
        """Create a thread; the same id again gives the same thread."""
        values = {"id": thread_id, "title": title, "metadata": metadata, "members": members}
        body = checked(CreateThreadBody, values, ErrorCode.BAD_REQUEST)
        return self._http.parsed(ThreadState, await self._http.call("POST", THREADS, body=body))

    async def update_thread(self, thread_id: str, fields: dict[str, Any]) -> None:
        """Set the fields that are given; None clears."""
        body = checked(UpdateThreadBody, fields, ErrorCode.BAD_REQUEST)
        # Which fields are present says what is changed, so an absent one must not become null.
        content = body.model_dump_json(by_alias=True, exclude_unset=True).encode()
        await self._http.call("PATCH", _thread(thread_id), body=content)

    async def details(self, thread_id: str) -> ThreadDetail:
        """One thread with its members, their cursors, and what it is to the caller."""
        return await self._http.get(ThreadDetail, _thread(thread_id))

    async def threads(self, *, archived: bool, cursor: str | None, limit: int) -> ThreadsPage:
        """The caller's threads, newest activity first."""
        return await self._http.get(
            ThreadsPage, THREADS, archived="true" if archived else None, cursor=cursor, limit=limit
        )

    async def unread(self) -> Unread:
        """What the caller has not read."""
        return await self._http.get(Unread, "/api/chat/unread")

    async def receipts(self, thread_id: str, *, cursor: str | None = None) -> Receipts:
        """A page of the members with their cursors, by user id."""
        return await self._http.get(Receipts, f"{_thread(thread_id)}/receipts", cursor=cursor)

    async def add_members(self, thread_id: str, members: list[NewMember]) -> None:
        """Add members, or give them other roles."""
        body = checked(AddMembersBody, {"members": members}, ErrorCode.BAD_REQUEST)
        await self._http.call("POST", f"{_thread(thread_id)}/members", body=body)

    async def remove_member(self, thread_id: str, user_id: str) -> None:
        """Remove a member, or leave."""
        await self._http.call("DELETE", f"{_thread(thread_id)}/members/{quote(user_part(user_id), safe='')}")

    async def archive(self, thread_id: str, *, archived: bool) -> None:
        """Put a thread away, or take it back."""
        await self._http.call("POST", f"{_thread(thread_id)}/{'archive' if archived else 'unarchive'}")

    async def mute(self, thread_id: str, *, muted: bool) -> None:
        """Whether a thread counts in the total of what is unread, and comes back from the archive."""
        await self._http.call("POST", f"{_thread(thread_id)}/mute", body=MuteBody(muted=muted))

    async def show_receipts(self, thread_id: str, *, show: bool) -> None:
        """Whether others see how far the caller has read."""
        await self._http.call("PUT", f"{_thread(thread_id)}/receipts", body=ReceiptsBody(show=show))

    # Messages

    async def send_message(self, frame: SendMessage) -> MessageState | QueuedMessage:
        """The stored message, or the note that it is safely queued: ask again with the same clientMessageId."""
        body = SendMessageBody(**frame.model_dump(exclude={"type"}))
        response = await self._http.call("POST", MESSAGES, body=body)
        if response.status_code == httpx.codes.ACCEPTED:
            return self._http.parsed(QueuedMessage, response)
        return self._http.parsed(MessageState, response)

    async def history(
        self, thread_id: str, *, before_seq: int | None = None, after_seq: int | None = None, limit: int = 50
    ) -> HistoryPage:
        """Messages in seq order: the last ones, those before a seq, or those after one."""
        path = f"{_thread(thread_id)}/messages"
        return await self._http.get(HistoryPage, path, beforeSeq=before_seq, afterSeq=after_seq, limit=limit)

    async def changes(self, thread_id: str, since_rev: int, *, limit: int = 200) -> ChangesPage:
        """What changed in a thread since a rev, as current states."""
        return await self._http.get(ChangesPage, f"{_thread(thread_id)}/changes", sinceRev=since_rev, limit=limit)

    async def message(self, message_id: str) -> MessageState:
        """One message."""
        return await self._http.get(MessageState, _message(message_id))

    async def revisions(self, message_id: str) -> Revisions:
        """What a message said before, newest first."""
        return await self._http.get(Revisions, f"{_message(message_id)}/revisions")

    async def message_receipts(self, message_id: str, *, cursor: str | None = None) -> MessageReceipts:
        """Who has a message, who read it, and when: a page, by user id."""
        return await self._http.get(MessageReceipts, f"{_message(message_id)}/receipts", cursor=cursor)

    async def search(
        self, text: str, *, thread_id: str | None, order: str, cursor: str | None, limit: int
    ) -> SearchPage:
        """Messages that match."""
        return await self._http.get(
            SearchPage, "/api/chat/search", q=text, threadId=thread_id, order=order, cursor=cursor, limit=limit
        )

    # People

    async def online_users(self, *, cursor: str | None, limit: int) -> OnlineUsers:
        """Who is here, as far as the caller may see it."""
        return await self._http.get(OnlineUsers, f"{USERS}/online", cursor=cursor, limit=limit)

    async def user_presence(self, user_id: str) -> PresenceState:
        """How one user is seen."""
        return await self._http.get(PresenceState, f"{USERS}/{quote(user_part(user_id), safe='')}/presence")


def _thread(thread_id: str) -> str:
    return f"{THREADS}/{quote(thread_part(thread_id), safe='')}"


def _message(message_id: str) -> str:
    place_of(message_id)
    return f"{MESSAGES}/{quote(message_id, safe='')}"

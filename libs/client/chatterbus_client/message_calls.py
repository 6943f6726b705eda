"""What a client asks and does about single messages, their files, and all of them (search).

Edits, deletes and reactions go over the socket and return when the store has them: the rev of the change, None when it
changed nothing. They wait for a connection and are repeated as requests.py says, within `request_timeout_s`; they are
not kept in the outbox. Raised: Refused; NotConnected when there was no connection (nothing happened); Unreachable when
no answer came (it may have happened). The rest is REST, and raises Refused and Unreachable.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import Literal, Protocol

from chatterbus_client.draft import checked, checked_edit, place_of
from chatterbus_client.files import Files, Progress
from chatterbus_client.requests import Requests
from chatterbus_client.rest import Rest
from chatterbus_contracts.frames.client import DeleteMessage, React
from chatterbus_contracts.limits import SEARCH_PAGE_MAX
from chatterbus_contracts.queries import Found, SearchPage
from chatterbus_contracts.states import AttachmentState, MessageReceipt, MessageRevision, MessageState

Order = Literal["newest", "rank"]


class Parts(Protocol):
    """What the calls are made with."""

    _rest: Rest
    _requests: Requests
    _files: Files


class MessageCalls:
    """Part of Client. A message id is what `Sent.message_id` and `MessageState.id` say."""

    # Changing it

    async def edit(self: Parts, message_id: str, content: str) -> int | None:
        """New content for a message of ours. MESSAGE_DELETED: it is gone."""
        thread_id, _ = place_of(message_id)
        values = {"thread_id": thread_id, "message_id": message_id, "content": content}
        return await self._requests.ask(checked_edit(values))

    async def delete(self: Parts, message_id: str) -> int | None:
        """Take a message of ours away (owners: any); its place stays. Again is no error."""
        thread_id, _ = place_of(message_id)
        return await self._requests.ask(checked(DeleteMessage, {"thread_id": thread_id, "message_id": message_id}))

    async def react(self: Parts, message_id: str, emoji: str) -> int | None:
        """Put one emoji under a message. BAD_EMOJI, TOO_MANY_REACTIONS, MESSAGE_DELETED. Again is no error."""
        return await self._requests.ask(_reaction(message_id, emoji, "add"))

    async def unreact(self: Parts, message_id: str, emoji: str) -> int | None:
        """Take our emoji away again."""
        return await self._requests.ask(_reaction(message_id, emoji, "remove"))

    # Asking about it

    async def message(self: Parts, message_id: str) -> MessageState:
        """A message as it is now."""
        return await self._rest.message(message_id)

    async def revisions(self: Parts, message_id: str) -> list[MessageRevision]:
        """What it said before, newest first; empty when it was never edited, or was deleted."""
        return (await self._rest.revisions(message_id)).items

    async def message_receipts(self: Parts, message_id: str) -> list[MessageReceipt]:
        """Every member but the sender: when it reached and was read by them, as far as they show it."""
        page = await self._rest.message_receipts(message_id)
        items = list(page.items)
        while page.next_cursor is not None:
            page = await self._rest.message_receipts(message_id, cursor=page.next_cursor)
            items += page.items
        return items

    # Files

    async def upload(
        self: Parts,
        source: Path | str | AsyncIterable[bytes],
        *,
        thread_id: str,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> AttachmentState:
        """Store a file (a path, or its bytes in pieces) so that a message of this thread can bring it: pass the answer
        to `send(attachments=[...])`. `progress(bytes_sent, bytes_in_all)` is called after each piece. A file that no
        message names is forgotten after a day. ATTACHMENT_TOO_LARGE, STORAGE_UNAVAILABLE; OSError for the path."""
        if isinstance(source, Path | str):
            source = Path(source)
            name = name or source.name
        return await self._files.upload(source, thread_id=thread_id, name=name or "file", progress=progress)

    async def download(
        self: Parts,
        attachment: AttachmentState | str,
        to: Path | str,
        *,
        thumbnail: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write a file to `to` (in a directory: under its own name). What an earlier attempt left is gone on with.
        `progress(bytes_here, bytes_in_all)` is called after each piece. ATTACHMENT_NOT_FOUND; OSError for the path."""
        target = Path(to)
        attachment_id, name = _file(attachment)
        if await asyncio.to_thread(target.is_dir):
            target = target / (Path(name).name or attachment_id)
        await self._files.download(attachment_id, target, thumbnail=thumbnail, progress=progress)
        return target

    async def chunks(
        self: Parts, attachment: AttachmentState | str, *, start: int = 0, thumbnail: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a file from `start` on, in pieces: `async for`. Goes on by itself where the network broke."""
        async for piece in self._files.pieces(_file(attachment)[0], start=start, thumbnail=thumbnail):
            yield piece.data

    # All of them

    async def search_page(
        self: Parts,
        text: str,
        *,
        thread_id: str | None = None,
        order: Order = "newest",
        cursor: str | None = None,
        limit: int = 20,
    ) -> SearchPage:
        """Up to `limit` (50) messages that match, and the cursor of the next page."""
        return await self._rest.search(text, thread_id=thread_id, order=order, cursor=cursor, limit=limit)

    async def search(
        self: Parts, text: str, *, thread_id: str | None = None, order: Order = "newest", page_size: int = 20
    ) -> AsyncGenerator[Found, None]:
        """Messages of our threads (or of one) that match, fetched page by page while they are read: `async for`.
        `text` is as in a web search: words, "a phrase", -without. Matches in `snippet` stand between U+0001 and
        U+0002."""
        cursor: str | None = None
        limit = min(page_size, SEARCH_PAGE_MAX)
        while True:
            page = await self._rest.search(text, thread_id=thread_id, order=order, cursor=cursor, limit=limit)
            for found in page.items:
                yield found
            if (cursor := page.next_cursor) is None:
                return


def _reaction(message_id: str, emoji: str, action: Literal["add", "remove"]) -> React:
    thread_id, _ = place_of(message_id)
    return checked(React, {"thread_id": thread_id, "message_id": message_id, "emoji": emoji, "action": action})


def _file(attachment: AttachmentState | str) -> tuple[str, str]:
    """(id, name) of a file."""
    if isinstance(attachment, str):
        return attachment, attachment.rpartition("~")[2]
    return attachment.id, attachment.name

"""A followed thread as its reader sees it: the current view, and the client's verbs without its id."""

from collections.abc import AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatterbus_client.event_stream import EventStream
from chatterbus_client.files import Progress
from chatterbus_client.pending import Pending, Sent
from chatterbus_client.timeline import Timeline
from chatterbus_contracts.ids import ThreadId, message_id
from chatterbus_contracts.queries import HistoryPage
from chatterbus_contracts.states import AttachmentState, MemberState, MessageState, ThreadDetail

if TYPE_CHECKING:
    from chatterbus_client.client import Client


class Thread:
    """A view that moves by itself while the thread is followed. Cheap to make; all of a thread show the same."""

    def __init__(self, client: "Client", timeline: Timeline) -> None:
        self._client = client
        self._timeline = timeline

    @property
    def id(self) -> str:
        """The thread's id."""
        return self._timeline.thread_id

    @property
    def rev(self) -> int:
        """The change through which this view is true."""
        return self._timeline.rev

    @property
    def last_seq(self) -> int:
        """The number of the last message, 0 if there is none."""
        return self._timeline.last_seq

    @property
    def oldest_seq(self) -> int:
        """The first message in `messages`; `history(before_seq=...)` loads older ones into the view."""
        return self._timeline.oldest_seq

    @property
    def messages(self) -> list[MessageState]:
        """The loaded messages in seq order, without holes."""
        return self._timeline.messages

    @property
    def members(self) -> dict[str, MemberState]:
        """The members by user id, with their cursors."""
        return dict(self._timeline.members)

    @property
    def title(self) -> str | None:
        """The title, as far as it was told: by `thread_updated` since it is followed, or by `details()`."""
        return self._timeline.details.title if self._timeline.details is not None else None

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The product's own JSON, as far as it was told, like the title."""
        return self._timeline.details.metadata if self._timeline.details is not None else None

    @property
    def caught_up(self) -> bool:
        """Whether nothing is known to be missing."""
        return self._timeline.needs == "nothing"

    def message(self, seq: int) -> MessageState | None:
        """A message by its seq, None if it is not loaded."""
        return self._timeline.message(seq)

    @property
    def typing_users(self) -> frozenset[str]:
        """Who is writing just now."""
        return self._client.writers(self.id)

    @property
    def unread(self) -> int:
        """How many messages are unread, as far as it was told."""
        item = self._client.unread_threads.get(self.id)
        return item.unread if item is not None else 0

    def events(self) -> EventStream:
        """The events of this thread, from now on."""
        return self._client.events(self.id)

    async def send(self, content: str, **options: Any) -> Sent:
        """See Client.send."""
        return await self._client.send(self.id, content, **options)

    def post(self, content: str, **options: Any) -> Pending:
        """See Client.post."""
        return self._client.post(self.id, content, **options)

    async def typing(self, is_typing: bool = True) -> None:
        """See Client.typing."""
        await self._client.typing(self.id, is_typing)

    # What can be done with a message, by its seq. What is returned and raised: see message_calls.

    def message_id(self, seq: int) -> str:
        """The id of a message, whether it is loaded or not."""
        return message_id(ThreadId(self.id), seq)

    async def edit(self, seq: int, content: str) -> int | None:
        """See Client.edit."""
        return await self._client.edit(self.message_id(seq), content)

    async def delete(self, seq: int) -> int | None:
        """See Client.delete."""
        return await self._client.delete(self.message_id(seq))

    async def react(self, seq: int, emoji: str) -> int | None:
        """See Client.react."""
        return await self._client.react(self.message_id(seq), emoji)

    async def unreact(self, seq: int, emoji: str) -> int | None:
        """See Client.unreact."""
        return await self._client.unreact(self.message_id(seq), emoji)

    async def upload(
        self, source: Path | str | AsyncIterable[bytes], *, name: str | None = None, progress: Progress | None = None
    ) -> AttachmentState:
        """See Client.upload."""
        return await self._client.upload(source, thread_id=self.id, name=name, progress=progress)

    # Marks, and the thread itself

    async def mark_read(self, seq: int | None = None) -> None:
        """Everything up to `seq` (default: the last message) was read."""
        await self._client.mark_read(self.id, self.last_seq if seq is None else seq)

    async def mark_delivered(self, seq: int | None = None) -> None:
        """Everything up to `seq` (default: the last message) has arrived."""
        await self._client.mark_delivered(self.id, self.last_seq if seq is None else seq)

    async def mark_unread(self, seq: int) -> None:
        """See Client.mark_unread."""
        await self._client.mark_unread(self.id, seq)

    async def details(self) -> ThreadDetail:
        """See Client.details."""
        return await self._client.details(self.id)

    async def leave(self) -> None:
        """See Client.leave."""
        await self._client.leave(self.id)

    async def history(self, *, before_seq: int | None = None, limit: int = 50) -> HistoryPage:
        """Load older messages into the view: those before `oldest_seq`, unless told otherwise."""
        return await self._client.history(self.id, before_seq=before_seq or self.oldest_seq, limit=limit)

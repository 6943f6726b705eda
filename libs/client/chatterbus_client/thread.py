"""A followed thread as its reader sees it: the current view, and the client's verbs without its id."""

from typing import TYPE_CHECKING, Any

from chatterbus_client.event_stream import EventStream
from chatterbus_client.pending import Pending, Sent
from chatterbus_client.timeline import Timeline
from chatterbus_contracts.queries import HistoryPage
from chatterbus_contracts.states import MemberState, MessageState

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
    def caught_up(self) -> bool:
        """Whether nothing is known to be missing."""
        return self._timeline.needs == "nothing"

    def message(self, seq: int) -> MessageState | None:
        """A message by its seq, None if it is not loaded."""
        return self._timeline.message(seq)

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

    async def mark_read(self, seq: int | None = None) -> None:
        """Everything up to `seq` (default: the last message) was read."""
        await self._client.mark_read(self.id, self.last_seq if seq is None else seq)

    async def history(self, *, before_seq: int | None = None, limit: int = 50) -> HistoryPage:
        """Load older messages into the view: those before `oldest_seq`, unless told otherwise."""
        return await self._client.history(self.id, before_seq=before_seq or self.oldest_seq, limit=limit)

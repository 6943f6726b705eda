"""What the chat shows of what happens in its thread.

Promises: each message once, in order, with its number; what changes later is shown again with ~, a reaction alone as
one line; how far the newest message of one's own has come is told when it comes further. A message that was shown is
marked as read. Who comes and goes, and what is unread elsewhere, is told beside it (chat_people). Bounded: of messages
shown longer ago than REMEMBERED every change shows the whole message.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from chatterbus import chat_lines
from chatterbus.chat_lines import Said
from chatterbus.chat_people import People
from chatterbus.chat_terminal import Terminal
from chatterbus.chat_ticks import Tick, tick_of
from chatterbus_client import (
    UNKNOWN,
    CaughtUp,
    Client,
    ClientEvent,
    DeliveredReceipt,
    MemberAdded,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageState,
    MessageUpdated,
    PresenceChanged,
    ReadReceipt,
    Sent,
    Thread,
    ThreadUpdated,
    TypingNotice,
    UnreadChanged,
)

REMEMBERED: Final = 1_000
TYPING_SHOWN_EVERY_S: Final = 10.0  # one line for a burst of notices of one person


class View:
    """One thread on one terminal, as `me` sees it."""

    def __init__(self, client: Client, thread: Thread, terminal: Terminal, me: str) -> None:
        self._client = client
        self._thread = thread
        self._terminal = terminal
        self._me = me
        self._url = client.url
        self._people = People(me)
        self._shown: dict[int, MessageState] = {}
        self._shown_seq = 0
        self._awaiting_ack: set[str] = set()  # own messages that are shown when their ack comes
        self._acked: set[str] = set()  # shown with their mark; their event is still to come
        self._own_seq = 0
        self._told_tick = Tick.SENT
        self._typing_shown: dict[str, float] = {}

    async def begin(self, last: int) -> None:
        """The last messages."""
        for state in self._thread.messages[-last:]:
            self._show(state)
        self._shown_seq = self._thread.last_seq
        await self._thread.mark_read()
        for user_id in sorted(self._client.presence):
            self._show_presence(user_id)
        self._on_unread()

    async def happened(self, event: ClientEvent) -> None:
        """An event of the thread; others are passed over."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
        if isinstance(event, MessageCreated) and event.data.sender_id != self._me:
            await self._thread.mark_read(event.data.seq)

    def posted(self, client_message_id: str) -> None:
        """A message of one's own is on its way; it is shown when it is stored."""
        self._awaiting_ack.add(client_message_id)

    def sent(self, sent: Sent, said: Said) -> None:
        """It is stored."""
        self._awaiting_ack.discard(sent.client_message_id)
        tick = self._tick(sent.seq)
        self._terminal.show(*chat_lines.sent_lines(self._me, sent.seq, sent.created_at, said, url=self._url, tick=tick))
        self._own(sent.seq, tick)
        if sent.seq > self._shown_seq:
            self._acked.add(sent.client_message_id)

    def refused(self, client_message_id: str) -> None:
        """It will not be stored."""
        self._awaiting_ack.discard(client_message_id)

    def _on_message(self, event: MessageCreated) -> None:
        state = event.data
        if state.seq <= self._shown_seq:
            return
        self._shown_seq = state.seq
        self._typing_shown.pop(state.sender_id, None)
        if state.client_message_id in self._acked:
            self._acked.discard(state.client_message_id)
            self._remember(state)
        elif state.sender_id == self._me and state.client_message_id in self._awaiting_ack:
            self._remember(state)
        else:
            self._show(self._thread.message(state.seq) or state)  # as the view has it, with its quote

    def _on_change(self, event: MessageUpdated | MessageDeleted) -> None:
        state = self._thread.message(event.data.seq) or event.data
        before = self._shown.get(state.seq)
        self._shown_seq = max(self._shown_seq, state.seq)
        self._remember(state)
        if before is not None and before.content == state.content and before.deleted == state.deleted:
            if before.reactions != state.reactions:
                self._terminal.show(chat_lines.reactions_line(state))
            return
        self._terminal.show(*chat_lines.message_lines(state, url=self._url, mark="~"))

    def _on_receipt(self, event: ReadReceipt | DeliveredReceipt) -> None:
        if not self._own_seq or event.user_id == self._me:
            return
        tick = self._tick(self._own_seq)
        if tick > self._told_tick:
            self._told_tick = tick
            others = sorted(self._thread.members.keys() - {self._me})
            self._terminal.show(chat_lines.tick_line(self._own_seq, tick, others))

    def _on_member(self, event: MemberAdded | MemberRemoved) -> None:
        verb = "joined" if isinstance(event, MemberAdded) else "left"
        role = f" as {event.data.role}" if isinstance(event, MemberAdded) and event.data.role != "member" else ""
        self._terminal.show(chat_lines.state_line(f"{event.data.user_id} {verb}{role}"))

    def _on_thread(self, event: ThreadUpdated) -> None:
        if event.data.title is not None:
            self._terminal.show(chat_lines.state_line(f"this is “{event.data.title}”"))

    def _on_typing(self, notice: TypingNotice) -> None:
        now = asyncio.get_running_loop().time()
        shown_at = self._typing_shown.get(notice.user_id, -TYPING_SHOWN_EVERY_S)
        if notice.is_typing and notice.user_id != self._me and now - shown_at >= TYPING_SHOWN_EVERY_S:
            self._typing_shown[notice.user_id] = now
            self._terminal.show(chat_lines.typing_line(notice.user_id))

    def _on_presence(self, event: PresenceChanged) -> None:
        self._show_presence(event.user_id)

    def _show_presence(self, user_id: str) -> None:
        presence = self._client.presence.get(user_id, UNKNOWN)  # as of now: the event may be an old one
        self._terminal.show(*self._people.seen(user_id, presence, self._thread.members.keys()))

    def _on_unread(self, _: UnreadChanged | None = None) -> None:
        here = self._client.unread_threads.get(self._thread.id)
        elsewhere = self._client.total_unread - (0 if here is None or here.muted else here.unread)
        self._terminal.show(*self._people.counted(elsewhere, asyncio.get_running_loop().time()))

    def _on_caught_up(self, event: CaughtUp) -> None:
        if event.reset:
            self._shown.clear()
            self._own_seq, self._shown_seq = 0, self._thread.last_seq
            self._terminal.show(chat_lines.state_line("the server's store was replaced; this is what it has"))
            for state in self._thread.messages:
                self._show(state)

    def _show(self, state: MessageState) -> None:
        own = state.sender_id == self._me
        tick = self._tick(state.seq) if own else None
        self._remember(state)
        self._terminal.show(*chat_lines.message_lines(state, url=self._url, tick=tick))
        if tick is not None and not state.deleted:
            self._own(state.seq, tick)

    def _own(self, seq: int, tick: Tick) -> None:
        if seq > self._own_seq:
            self._own_seq, self._told_tick = seq, tick

    def _tick(self, seq: int) -> Tick:
        return tick_of(seq, self._me, self._thread.members)

    def _remember(self, state: MessageState) -> None:
        self._shown[state.seq] = state
        if len(self._shown) > REMEMBERED:
            del self._shown[next(iter(self._shown))]


_HANDLERS: Final[dict[type, Callable[[View, Any], None]]] = {
    MessageCreated: View._on_message,
    MessageUpdated: View._on_change,
    MessageDeleted: View._on_change,
    ReadReceipt: View._on_receipt,
    DeliveredReceipt: View._on_receipt,
    MemberAdded: View._on_member,
    MemberRemoved: View._on_member,
    ThreadUpdated: View._on_thread,
    TypingNotice: View._on_typing,
    PresenceChanged: View._on_presence,
    UnreadChanged: View._on_unread,
    CaughtUp: View._on_caught_up,
}

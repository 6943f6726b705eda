"""Where each kind of frame goes. One table, complete over the server's frames.

Promises: every frame of SERVER_FRAMES has a handler; handlers are synchronous, so frames are applied in the order of
arrival.
"""

from collections.abc import Callable
from typing import Any, Final

from chatterbus_client.cursors import Cursors
from chatterbus_client.delivery import Delivery
from chatterbus_client.events import ClientEvent
from chatterbus_client.following import Following
from chatterbus_client.presence_wishes import PresenceWishes
from chatterbus_client.requests import Requests
from chatterbus_client.signs import Signs
from chatterbus_client.timeline import ThreadEvent
from chatterbus_contracts.frames import server
from chatterbus_contracts.frames.server import ServerFrame


class Inbox:
    """Takes the frames of one client apart."""

    def __init__(
        self,
        delivery: Delivery,
        following: Following,
        requests: Requests,
        cursors: Cursors,
        signs: Signs,
        wishes: PresenceWishes,
        emit: Callable[[ClientEvent], None],
    ) -> None:
        self._delivery = delivery
        self._following = following
        self._requests = requests
        self._cursors = cursors
        self._signs = signs
        self._wishes = wishes
        self._emit = emit
        self._user_id: str | None = None

    def opened(self, user_id: str) -> None:
        """A new connection, on which the server takes us for this user."""
        self._user_id = user_id

    def received(self, frame: ServerFrame) -> None:
        """One frame."""
        HANDLERS[type(frame)](self, frame)

    def _on_event(self, event: ThreadEvent) -> None:
        self._following.happened(event)

    def _on_message(self, event: server.MessageCreated) -> None:
        self._signs.said(event.thread_id, event.data.sender_id)
        self._following.happened(event)

    def _on_receipt(self, event: server.ReadReceipt | server.DeliveredReceipt) -> None:
        if event.user_id == self._user_id:
            read_seq = event.seq if isinstance(event, server.ReadReceipt) else 0
            self._cursors.confirmed(event.thread_id, read_seq=read_seq, delivered_seq=event.seq)
        self._following.happened(event)

    def _on_subscribed(self, frame: server.Subscribed) -> None:
        for member in frame.members:
            if member.user_id == self._user_id:
                self._cursors.confirmed(frame.thread_id, read_seq=member.read_seq, delivered_seq=member.delivered_seq)
        self._following.subscribed(frame)

    def _on_resync(self, frame: server.Resync) -> None:
        self._emit(frame)
        self._following.resync(frame)

    def _on_message_ack(self, frame: server.MessageAck) -> None:
        self._delivery.acked(frame)

    def _on_ack(self, frame: server.Ack) -> None:
        self._requests.acked(frame)

    def _on_error(self, frame: server.Error) -> None:
        self._delivery.refused(frame)
        self._following.refused(frame)
        self._requests.refused(frame)
        self._wishes.refused(frame)

    def _on_notice(self, frame: server.TokenExpiring | server.Reconnect) -> None:
        self._emit(frame)

    def _on_typing(self, frame: server.TypingNotice) -> None:
        self._signs.received_typing(frame)

    def _on_presence(self, frame: server.PresenceNotice) -> None:
        self._signs.received_presence(frame)

    def _on_unread(self, frame: server.UnreadNotice) -> None:
        self._signs.received_unread(frame)

    def _on_unread_snapshot(self, frame: server.UnreadSnapshot) -> None:
        self._signs.received_snapshot(frame)

    def _on_nothing(self, frame: ServerFrame) -> None:
        """Being heard is all it was for."""


HANDLERS: Final[dict[type[ServerFrame], Callable[[Inbox, Any], None]]] = {
    server.AuthSuccess: Inbox._on_nothing,
    server.Subscribed: Inbox._on_subscribed,
    server.Unsubscribed: Inbox._on_nothing,
    server.MessageCreated: Inbox._on_message,
    server.MessageUpdated: Inbox._on_event,
    server.MessageDeleted: Inbox._on_event,
    server.ThreadUpdated: Inbox._on_event,
    server.MemberAdded: Inbox._on_event,
    server.MemberRemoved: Inbox._on_event,
    server.DeliveredReceipt: Inbox._on_receipt,
    server.ReadReceipt: Inbox._on_receipt,
    server.MessageAck: Inbox._on_message_ack,
    server.Ack: Inbox._on_ack,
    server.TypingNotice: Inbox._on_typing,
    server.PresenceNotice: Inbox._on_presence,
    server.UnreadNotice: Inbox._on_unread,
    server.UnreadSnapshot: Inbox._on_unread_snapshot,
    server.Resync: Inbox._on_resync,
    server.TokenExpiring: Inbox._on_notice,
    server.Reconnect: Inbox._on_notice,
    server.Pong: Inbox._on_nothing,
    server.Error: Inbox._on_error,
}

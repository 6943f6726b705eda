"""Chatterbus Python client: asyncio SDK with outbox, reconnect and resume.

    async with Client("http://127.0.0.1:8080", user_id="alice") as client:
        thread = await client.thread("demo")
        sent = await thread.send("hello")

Start reading at `client`; `settings` has every number, `errors` what can go wrong, `events` what it tells.
"""

from chatterbus_client.client import Client
from chatterbus_client.errors import (
    ClientClosed,
    NotConnected,
    NoToken,
    NotYetSent,
    OutboxBusy,
    OutboxFull,
    Refused,
    Unreachable,
)
from chatterbus_client.event_stream import EventStream
from chatterbus_client.events import (
    CaughtUp,
    ClientEvent,
    ConnectionChanged,
    Lagged,
    PresenceChanged,
    SendChanged,
    State,
    ThreadLost,
    TypingChanged,
    UnreadChanged,
)
from chatterbus_client.outbox_file import FileOutbox
from chatterbus_client.outbox_store import MemoryOutbox, OutboxStore
from chatterbus_client.pending import Pending, Sent, Status
from chatterbus_client.presence_view import UNKNOWN, Presence
from chatterbus_client.settings import ClientSettings
from chatterbus_client.thread import Thread
from chatterbus_client.thread_calls import UNCHANGED
from chatterbus_contracts.commands import NewMember
from chatterbus_contracts.frames.server import (
    DeliveredReceipt,
    MemberAdded,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReadReceipt,
    Reconnect,
    Resync,
    ThreadUpdated,
    TokenExpiring,
    TypingNotice,
)
from chatterbus_contracts.states import (
    AttachmentState,
    MemberState,
    MessageState,
    PresenceState,
    Quote,
    ReactionState,
    Role,
    ThreadDetail,
    ThreadState,
    ThreadSummary,
    UnreadItem,
)

__all__ = [
    "UNCHANGED",
    "UNKNOWN",
    "AttachmentState",
    "CaughtUp",
    "Client",
    "ClientClosed",
    "ClientEvent",
    "ClientSettings",
    "ConnectionChanged",
    "DeliveredReceipt",
    "EventStream",
    "FileOutbox",
    "Lagged",
    "MemberAdded",
    "MemberRemoved",
    "MemberState",
    "MemoryOutbox",
    "MessageCreated",
    "MessageDeleted",
    "MessageState",
    "MessageUpdated",
    "NewMember",
    "NoToken",
    "NotConnected",
    "NotYetSent",
    "OutboxBusy",
    "OutboxFull",
    "OutboxStore",
    "Pending",
    "Presence",
    "PresenceChanged",
    "PresenceState",
    "Quote",
    "ReactionState",
    "ReadReceipt",
    "Reconnect",
    "Refused",
    "Resync",
    "Role",
    "SendChanged",
    "Sent",
    "State",
    "Status",
    "Thread",
    "ThreadDetail",
    "ThreadLost",
    "ThreadState",
    "ThreadSummary",
    "ThreadUpdated",
    "TokenExpiring",
    "TypingChanged",
    "TypingNotice",
    "Unreachable",
    "UnreadChanged",
    "UnreadItem",
]

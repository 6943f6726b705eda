"""What a client tells its user, besides the server's frames: all of it facts, in the order they became true.

The frames of `contracts.frames.server` that tell about threads (MessageCreated, ReadReceipt, TypingNotice, Resync ...)
are passed on as they are.
"""

from dataclasses import dataclass
from enum import StrEnum

from chatterbus_client.errors import Refused
from chatterbus_client.pending import Sent, Status
from chatterbus_client.presence_view import Presence
from chatterbus_client.timeline import ThreadEvent
from chatterbus_contracts.frames.server import Reconnect, Resync, TokenExpiring, TypingNotice
from chatterbus_contracts.states import UnreadItem


class State(StrEnum):
    """Where the connection is. `online`: every followed thread is caught up."""

    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    CATCHING_UP = "catching_up"
    ONLINE = "online"
    OFFLINE = "offline"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The connection's state changed. Offline: `retry_in_s` says when the next attempt is made."""

    state: State
    reason: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The thread's view is true through `rev`. `reset`: it was built anew, so draw it again."""

    thread_id: str
    rev: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class ThreadLost:
    """The thread is not followed any more: the server refused it after a reconnect."""

    thread_id: str
    refused: Refused


@dataclass(frozen=True, slots=True)
class SendChanged:
    """A posted message is queued, sent or failed now."""

    thread_id: str
    client_message_id: str
    status: Status
    sent: Sent | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A user is seen differently now."""

    user_id: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class TypingChanged:
    """Who is writing in the thread now. Needs no clock of the reader's: it comes when somebody's time is over, too."""

    thread_id: str
    user_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class UnreadChanged:
    """What is not read in a thread now (`item`; None: nothing), and in all that are not muted. Without a thread: in
    one of those that are not named (`Client.unread_is_partial`)."""

    thread_id: str | None
    item: UnreadItem | None
    total_unread: int


@dataclass(frozen=True, slots=True)
class Lagged:
    """The reader of this stream was too slow: `dropped` of the oldest events are missing here. Views are complete."""

    dropped: int


ClientEvent = (
    ThreadEvent
    | TypingNotice
    | Resync
    | TokenExpiring
    | Reconnect
    | ConnectionChanged
    | CaughtUp
    | ThreadLost
    | SendChanged
    | PresenceChanged
    | TypingChanged
    | UnreadChanged
    | Lagged
)

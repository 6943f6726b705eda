"""What a session asks of the shell around it.

Promises: the session calls these and awaits none; the shell does them now or in its own time and reports back through
the session's methods (`authenticated`, `auth_refused`, `settled`, `unfollowed`, `follow_refused`).
"""

from __future__ import annotations

from typing import Literal, Protocol

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.errors import CloseCode
from chatterbus_contracts.frames.client import ClientFrame, SetPresence, WatchPresence
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.encoded_command import EncodedCommand
from chatterbus_gateway.principal import Principal

Choice = Literal["online", "dnd", "invisible"]


class Effects(Protocol):
    """The shell, as a session sees it."""

    def send(self, frame: Wire) -> None:
        """Encode and send a frame, in order."""

    def forward(self, frame: bytes) -> None:
        """Send a frame that is already encoded, in order."""

    def verify(self, token: str) -> None:
        """Check a token; answered by `authenticated` or `auth_refused`, perhaps before this returns."""

    def redeem(self, ticket: str) -> None:
        """Use up a ticket; answered as `verify` is, later."""

    def welcome(self, principal: Principal) -> None:
        """Count and index the connection, and send auth_success. Raises Refusal when a cap is reached."""

    def submit(self, command: EncodedCommand, request: ClientFrame) -> None:
        """Queue a command for `request`; answered by `settled`, later. Raises Refusal."""

    def post(self, command: EncodedCommand) -> None:
        """Queue a command that nobody waits for. Raises Refusal."""

    def follow(self, thread_id: ThreadId, since_rev: int | None, request: ClientFrame) -> None:
        """Subscribe; the shell sends `subscribed` and what follows, or calls `follow_refused`."""

    def unfollow(self, thread_id: ThreadId, request: ClientFrame) -> None:
        """Stop following, behind a subscribe that is on its way; the shell sends `unsubscribed`."""

    def move_cursor(self, thread_id: ThreadId, delivered_seq: int | None, read_seq: int | None) -> None:
        """Move the user's cursors; coalesced."""

    def choose_presence(self, status: Choice, request: SetPresence) -> None:
        """Have the user seen like this, on all devices; answered by `settled`, later."""

    def watch_presence(self, user_ids: list[UserId], request: WatchPresence) -> None:
        """Send the presence of these now, then changes; or call `follow_refused`."""

    def notify_typing(self, thread_id: ThreadId, is_typing: bool) -> None:
        """Tell the thread's followers; throttled."""

    def pong(self, ping_id: str | None) -> None:
        """Answer a ping frame, with the time."""

    def ping(self) -> None:
        """Send a protocol ping."""

    def set_away(self, *, away: bool) -> None:
        """Tell that the device is away, or active again."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Say goodbye behind what was sent, and end the connection within the closing deadline."""

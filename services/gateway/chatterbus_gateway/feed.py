"""One followed thread: who of this gateway follows it, and how far each of them is. Pure.

Promises: a recipient gets the events of a thread in rev order, each at most once, starting right behind the position it
joined at; when revs are missing it is told `resync` before the next event; while a recipient joins, events are held for
it. A member who was removed gets the frame that says so and nothing after it. `resyncs` grows whenever a removal may
have been missed; the caller then asks who is a member, and expels who is not. A hole behind which no event comes is
found by comparing with the store's rev (`lags`, then `miss`).
The positions of all live recipients are one number, the feed's own; only those that joined ahead of it (they read a
change from the store before its event came) have their own until it catches up.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final, Protocol

from chatterbus_contracts.codec import DecodeError, encode, parse_json
from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.frames.server import Resync
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.outbox import TYPING
from chatterbus_gateway.wire_frame import ws_frame

HELD_MAX_BYTES: Final = 2 * 1024 * 1024  # of one thread, while somebody joins; then the joining ones get a resync


class Recipient(Protocol):
    """A connection, as a feed sees it."""

    @property
    def user_id(self) -> UserId:
        """Whose connection it is."""

    def push(self, frames: bytes) -> None:
        """Send WebSocket frames, durably."""

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        """Send a WebSocket frame that may be replaced or dropped (see outbox.py for keys)."""

    def unfollowed(self, thread_id: ThreadId) -> None:
        """The thread is not followed any more, since the user is no member."""


class Held:
    """An event that waits for those who join."""

    __slots__ = ("event", "frame")

    def __init__(self, event: Event, frame: bytes) -> None:
        self.event = event
        self.frame = frame


class Joining:
    """A recipient between its subscribe and the first live event."""

    __slots__ = ("missed", "overflowed", "recipient", "removal", "start")

    def __init__(self, recipient: Recipient, start: int) -> None:
        self.recipient = recipient
        self.start = start  # where in the feed's held events its own begin
        self.overflowed = False
        self.missed = False  # the feed lost its place meanwhile: the state may be older than that
        self.removal: Held | None = None  # the last event that removed this user, kept through an overflow


class Feed:
    """Positions and recipients of one thread."""

    __slots__ = (
        "_ahead",
        "_held",
        "_held_bytes",
        "_joining",
        "_live",
        "_store_rev",
        "admissions",
        "membership",
        "resyncs",
        "rev",
        "thread_id",
    )

    def __init__(self, thread_id: ThreadId) -> None:
        self.thread_id = thread_id
        self.rev: int | None = None  # of the last event; None: not known, the next one is taken as it comes
        self.resyncs = 0  # notices sent
        self.admissions = 0  # joins that went live, and members added
        self.membership: list[Event] = []  # events of members that came and were new; the caller takes them
        self._live: dict[Recipient, None] = {}  # a dict keeps the order of joining
        self._ahead: dict[Recipient, int] = {}
        self._joining: dict[Recipient, Joining] = {}
        self._held: list[Held] = []
        self._held_bytes = 0
        self._store_rev: int | None = None  # the store's, when it was last looked at while ours was not known

    def __bool__(self) -> bool:
        """Somebody follows."""
        return bool(self._live or self._ahead or self._joining)

    @property
    def recipients(self) -> list[Recipient]:
        """All who follow, those that are joining too."""
        return [*self._live, *self._ahead, *self._joining]

    @property
    def live(self) -> Iterable[Recipient]:
        """All who follow, without those that are joining."""
        return chain(self._live, self._ahead)

    @property
    def is_live(self) -> bool:
        """Somebody follows and is not only joining."""
        return bool(self._live or self._ahead)

    @property
    def live_users(self) -> dict[UserId, None]:
        """Whose connections follow, without those that are joining: the store is being asked about them."""
        return dict.fromkeys(recipient.user_id for recipient in self.live)

    def follows(self, recipient: Recipient) -> bool:
        """Live, not only joining."""
        return recipient in self._live or recipient in self._ahead

    # --- joining and leaving -----------------------------------------------------------------------------------------

    def begin_join(self, recipient: Recipient) -> None:
        """Hold events for a recipient from now on. One that follows already stops being live meanwhile."""
        self._live.pop(recipient, None)
        self._ahead.pop(recipient, None)
        self._joining[recipient] = Joining(recipient, len(self._held))

    def complete_join(self, recipient: Recipient, rev: int, frames: bytes) -> None:
        """Send `frames` (the state through `rev`), then what was held beyond it, and go live."""
        joining = self._joining.pop(recipient, None)
        if joining is None:
            return
        if not self._live and not self._ahead and (self.rev is None or self.rev < rev):
            self.rev = rev
        held = [] if joining.overflowed else [h for h in self._held[joining.start :] if h.event.rev > rev]
        self._release_held()
        recipient.push(frames)
        if joining.missed or joining.overflowed:
            self._resync((recipient,), "overflow" if joining.overflowed else "link_lost")
        if joining.overflowed and joining.removal is not None and joining.removal.event.rev > rev:
            recipient.push(joining.removal.frame)
            recipient.unfollowed(self.thread_id)
            return
        position = rev
        for item in held:
            if item.event.rev <= position:
                continue
            if item.event.rev != position + 1:
                self._resync((recipient,), "gap")
            recipient.push(item.frame)
            position = item.event.rev
            if item.event.type == REMOVED and member_of(item.event) == recipient.user_id:
                recipient.unfollowed(self.thread_id)
                return
        self._go_live(recipient, position, was_told=joining.missed or joining.overflowed)

    def _go_live(self, recipient: Recipient, position: int, *, was_told: bool) -> None:
        self.admissions += 1
        if self.rev is None or self.rev < position:
            self._ahead[recipient] = position
            return
        self._live[recipient] = None
        if position < self.rev and not was_told:
            # The state was older than what we know of, and no held event makes up for it.
            self._resync((recipient,), "gap")

    def abandon_join(self, recipient: Recipient) -> None:
        """The join failed; nothing was sent."""
        if self._joining.pop(recipient, None) is not None:
            self._release_held()

    def leave(self, recipient: Recipient) -> None:
        """Forget a recipient, wherever it is."""
        self._live.pop(recipient, None)
        self._ahead.pop(recipient, None)
        self.abandon_join(recipient)

    def _release_held(self) -> None:
        if not self._joining:
            self._held = []
            self._held_bytes = 0

    # --- events ------------------------------------------------------------------------------------------------------

    def receive(self, events: list[Event]) -> None:
        """Pass on what is new, in rev order."""
        position = self.rev
        fresh: list[Event] = []
        plain = not (self._ahead or self._joining)
        for event in events:
            if position is not None:
                if event.rev <= position:
                    continue
                if event.rev != position + 1:
                    plain = False
            if event.type in MEMBERSHIP:
                plain = False
            position = event.rev
            fresh.append(event)
        if plain:
            self.rev = position
            if fresh:
                frames = ws_frame(fresh[0].frame) if len(fresh) == 1 else b"".join(ws_frame(e.frame) for e in fresh)
                for recipient in self._live:
                    recipient.push(frames)
            return
        for event in fresh:
            self._receive_one(event)

    def _receive_one(self, event: Event) -> None:
        rev = event.rev
        if self.rev is not None and rev != self.rev + 1:
            self._resync(self._live, "gap")
            self._resync([r for r, position in self._ahead.items() if rev > position + 1], "gap")
        self.rev = rev
        frame = ws_frame(event.frame)
        for recipient in self._live:
            recipient.push(frame)
        for recipient, position in list(self._ahead.items()):
            if rev > position:
                recipient.push(frame)
            if rev >= position:
                del self._ahead[recipient]
                self._live[recipient] = None
        if self._joining:
            self._hold(event, frame)
        if event.type in MEMBERSHIP:
            self.membership.append(event)
        if event.type == REMOVED:
            self._remove_user(member_of(event), Held(event, frame))
        elif event.type == ADDED:
            self.admissions += 1

    def _hold(self, event: Event, frame: bytes) -> None:
        self._held.append(Held(event, frame))
        self._held_bytes += len(frame)
        if self._held_bytes > HELD_MAX_BYTES:
            for joining in self._joining.values():
                joining.overflowed = True
            self._held = []
            self._held_bytes = 0

    # --- holes without an event behind them --------------------------------------------------------------------------

    def lags(self, store_rev: int) -> bool:
        """Whether the store, by a look at it, has more than what came; an event may be under way yet. While our rev is
        not known, the first look only sets the mark for the next."""
        if self.rev is not None:
            return self.rev < store_rev
        mark, self._store_rev = self._store_rev, store_rev
        return mark is not None and mark < store_rev

    def miss(self, store_rev: int) -> None:
        """Events through `store_rev` did not come in time: tell all who do not have them, and expect what is beyond."""
        if self.rev is not None and self.rev >= store_rev:
            return
        self._resync([*self._live, *(r for r, position in self._ahead.items() if position < store_rev)], "gap")
        self.rev = store_rev
        for recipient, position in list(self._ahead.items()):
            if position <= store_rev:
                del self._ahead[recipient]
                self._live[recipient] = None

    def _remove_user(self, user_id: str | None, removal: Held) -> None:
        for joining in self._joining.values():
            if joining.recipient.user_id == user_id:
                joining.removal = removal
        for recipient in self._live_of(user_id):
            self._let_go(recipient)

    def expel(self, user_id: UserId, notice: bytes) -> int:
        """The store says that this user is no member: tell so, and nothing after it. Returns how many connections were
        told. One that is joining is left to the store's answer to its own question."""
        expelled = self._live_of(user_id)
        for recipient in expelled:
            recipient.push(notice)
            self._let_go(recipient)
        return len(expelled)

    def _live_of(self, user_id: str | None) -> list[Recipient]:
        return [recipient for recipient in self.live if recipient.user_id == user_id]

    def _let_go(self, recipient: Recipient) -> None:
        self._live.pop(recipient, None)
        self._ahead.pop(recipient, None)
        recipient.unfollowed(self.thread_id)

    def receive_typing(self, frame: bytes) -> None:
        """Pass on who is typing, to everybody else."""
        try:
            user_id = parse_json(frame)["userId"]
        except (DecodeError, KeyError, TypeError):
            return
        key = f"{TYPING}{self.thread_id}/{user_id}"
        wire = ws_frame(frame)
        for recipient in self.live:
            if recipient.user_id != user_id:
                recipient.push_ephemeral(key, wire)

    def lose_place(self) -> None:
        """Events may have been missed: the next one is taken as it comes. The caller tells the recipients."""
        self.rev = self._store_rev = None
        self._live.update(dict.fromkeys(self._ahead))
        self._ahead.clear()
        for joining in self._joining.values():
            joining.missed = True

    def _resync(self, recipients: Iterable[Recipient], reason: str) -> None:
        frame = ws_frame(encode(Resync(thread_id=self.thread_id, reason=reason)))
        for recipient in recipients:
            self.resyncs += 1
            recipient.push(frame)


REMOVED: Final = "member_removed"
ADDED: Final = "member_added"
MEMBERSHIP: Final = frozenset({REMOVED, ADDED})


def member_of(event: Event) -> str | None:
    """Of whom a member_added or member_removed frame speaks."""
    try:
        user_id = parse_json(event.frame)["data"]["userId"]
    except (DecodeError, KeyError, TypeError):
        return None
    return user_id if isinstance(user_id, str) else None

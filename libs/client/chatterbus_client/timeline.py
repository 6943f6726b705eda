"""One thread as this client sees it: events, pages of changes and of history go in, a view comes out. Pure.

Promises
- Live events are applied in rev order, each once: a rev already seen is dropped, one beyond the next is held and
  `needs` says what to fetch. Whatever is lost, repeated or reordered, once `needs` is "nothing" the view equals the
  server's thread at `rev` (invariant: state(r) + changes(since r) == state(now)).
- The view never goes blank: it stays readable during a catch-up, and during a reset until the new history is there.
- `messages` has no holes: it runs from `oldest_seq` to `last_seq`. States of older messages are kept beside it, so a
  history page that was read before an edit cannot bring the old text back.
- A reply's quote is true whenever it is looked at: it is made of the quoted message's state here, if that is known.
- Of a large thread the first members are named; until the others are read too, `needs` says "members". Those that are
  known stay, and one who was removed meanwhile does not come back with a page that was read before.
- Bounded: the newest `messages_max` messages are kept; more than `held_max` held events are let go and fetched.
Does not promise to notice that the newest event was lost while nothing follows; the server says `resync` then.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from chatterbus_client.quotes import Quotes
from chatterbus_contracts.frames.server import (
    DeliveredReceipt,
    MemberAdded,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReadReceipt,
    Subscribed,
    ThreadUpdated,
)
from chatterbus_contracts.queries import ChangesPage, Receipts
from chatterbus_contracts.states import MemberState, MessageState, ThreadState

ThreadEvent = (
    MessageCreated
    | MessageUpdated
    | MessageDeleted
    | ThreadUpdated
    | MemberAdded
    | MemberRemoved
    | DeliveredReceipt
    | ReadReceipt
)
Needs = Literal["nothing", "replay", "changes", "history", "members"]


class Timeline:
    """The view of one thread. `rev` is the position through which it is true."""

    def __init__(self, thread_id: str, *, messages_max: int = 5_000, held_max: int = 1_000) -> None:
        self.thread_id = thread_id
        self.rev = 0
        self.last_seq = 0
        self.oldest_seq = 1
        self.started = False
        self.details: ThreadState | None = None
        self.members: dict[str, MemberState] = {}
        self.members_cursor: str | None = None  # where the members go on that are not known yet
        # While members are being read: what was told of those who are not known yet, since their page may be older.
        self._removed: dict[str, int] = {}
        self._moved: dict[str, dict[str, int]] = {}
        self._messages_max = messages_max
        self._held_max = held_max
        self._messages: dict[int, MessageState] = {}
        self._quotes = Quotes(messages_max)
        self._stale: dict[int, MessageState] = {}  # what was shown before a reset, until the history is there
        self._held: dict[int, ThreadEvent] = {}
        self._target = 0  # the highest rev known to exist
        self._replay_through: int | None = None
        self._latest_rev = 0  # the rev of the last applied event, and the facets applied of it: a message and its
        self._latest_facets: set[str] = set()  # sender's receipt share one rev, and changes may tell both
        self._more_of_rev = False  # a replay ended with `rev`; another event of that rev may have been under way
        self._suspect = False  # the server said that something may be missing
        self._reset = False

    # The view

    @property
    def messages(self) -> list[MessageState]:
        """The messages from `oldest_seq` on, in seq order. During a reset, what was there before as well."""
        shown = {seq: state for seq, state in self._stale.items() if seq <= self.last_seq}
        shown.update((seq, state) for seq, state in self._messages.items() if seq >= self.oldest_seq)
        return [self._with_quote(shown[seq]) for seq in sorted(shown)]

    def message(self, seq: int) -> MessageState | None:
        """A message by its seq, None if it is not held."""
        state = self._messages.get(seq)
        return None if state is None else self._with_quote(state)

    # What is missing

    @property
    def needs(self) -> Needs:
        """What makes the view true again: the rest of the replay, the history anew, changes since `rev`, or the rest of
        the members."""
        if not self.started or self._replay_through is not None:
            return "replay"
        if self._reset:
            return "history"
        if self._suspect or self.rev < self._target:
            return "changes"
        return "nothing" if self.members_cursor is None else "members"

    @property
    def resume_rev(self) -> int:
        """The rev to ask for changes since: everything through it has arrived for sure."""
        return self.rev - 1 if self._more_of_rev else self.rev

    # What comes in

    def subscribed(self, frame: Subscribed) -> None:
        """The answer to subscribe; what was missed follows as events through `throughRev`."""
        restored_older = self.started and frame.rev < self.rev
        if self.started and (frame.result == "reset" or restored_older):
            self._start_anew()
        if not self.started or self._reset:
            self.started = True
            self.rev = self._target = frame.rev
            self.last_seq = frame.last_seq
            self.oldest_seq = frame.last_seq + 1
            self._more_of_rev = False
            self._replay_through = None
        else:
            self._replay_through = frame.through_rev if frame.through_rev > self.rev else None
        self._suspect = False
        self._target = max(self._target, frame.rev)
        self._name_members(frame)

    def receive_members(self, page: Receipts) -> None:
        """Further members, from `members_cursor` on."""
        for member in page.items:
            if member.rev > self._removed.get(member.user_id, 0):
                self._put_member(member)
                self._move_cursors(member.user_id, **self._moved.pop(member.user_id, _NOT_MOVED))
        self.members_cursor = page.next_cursor
        if page.next_cursor is None:
            self._removed.clear()
            self._moved.clear()

    def disconnected(self) -> None:
        """No more events of the old connection come. The rest of a replay is lost with it, and what was held above a
        gap is part of what the next one brings."""
        self._held.clear()
        if self._replay_through is not None:
            self._target = max(self._target, self._replay_through)
            self._replay_through = None

    def resync(self) -> None:
        """Events may be missing: a page of changes is needed, whatever the revs say."""
        self._suspect = True

    def fetching(self) -> None:
        """A page of changes is being asked for; it answers all doubts up to now, none that come later."""
        self._suspect = False

    def abandon(self) -> None:
        """The store was replaced: no rev of ours means anything there."""
        self._start_anew()
        self.rev = self._target = 0

    def receive(self, event: ThreadEvent) -> list[ThreadEvent]:
        """A live or replayed event. Returns the events that were applied, in rev order."""
        if not self.started:
            return []
        if self._replay_through is not None:
            if event.rev <= self._replay_through:
                return self._replayed(event)
            self._end_replay()
        self._target = max(self._target, event.rev)
        if not self._is_new(event):
            return []
        if event.rev <= self.rev:
            self._apply(event)
            return [event]
        self._held[event.rev] = event
        applied = self._apply_held()
        if len(self._held) > self._held_max:
            self._held.clear()
        return applied

    def receive_page(self, page: ChangesPage) -> list[ThreadEvent]:
        """Changes since `resume_rev`. Returns the events that were applied, in rev order."""
        self._target = max(self._target, page.rev)
        applied: list[ThreadEvent] = []
        for event in page.items:
            if self._is_new(event):
                self._apply(event)
                applied.append(event)
        if page.through_rev >= self.rev:
            self.rev, self._more_of_rev = page.through_rev, False
        return applied + self._apply_held()

    def receive_history(self, items: list[MessageState]) -> None:
        """A page of history, in seq order. It extends the view if it joins it."""
        for state in items:
            self._put_message(state)
        if items and items[0].seq < self.oldest_seq <= items[-1].seq + 1:
            self.oldest_seq = items[0].seq
        self._trim()

    def receive_details(self, details: ThreadState) -> None:
        """Title and metadata as they were read; live events tell what comes after."""
        if self.details is None or details.rev >= self.details.rev:
            self.details = details

    def replace(self, items: list[MessageState]) -> None:
        """The newest page of history after a reset: the view before it is let go."""
        self._reset = False
        self._stale = {}
        self.receive_history(items)

    # How it is applied

    def _replayed(self, event: ThreadEvent) -> list[ThreadEvent]:
        # In a replay revs that were superseded are absent: a jump is no gap. Another event of the same rev may follow,
        # so the position stays one behind until a later one, or the end, shows that the rev is complete.
        applied = [event] if self._is_new(event) else []
        for new in applied:
            self._apply(new)
        self.rev = max(self.rev, event.rev - 1)
        if event.rev == self._replay_through:
            self._end_replay()
            self._more_of_rev = True
        return applied

    def _end_replay(self) -> None:
        if self._replay_through is not None:
            self.rev = max(self.rev, self._replay_through)
            self._replay_through = None

    def _apply_held(self) -> list[ThreadEvent]:
        applied = []
        while (event := self._held.pop(self.rev + 1, None)) is not None:
            self._apply(event)
            self.rev, self._more_of_rev = event.rev, False
            applied.append(event)
        if self._held and min(self._held) <= self.rev:
            self._held = {rev: event for rev, event in self._held.items() if rev > self.rev}
        return applied

    def _is_new(self, event: ThreadEvent) -> bool:
        if event.rev == self._latest_rev:
            return _FACETS.get(event.type, event.type) not in self._latest_facets
        return event.rev > max(self.rev, self._latest_rev)

    def _apply(self, event: ThreadEvent) -> None:
        if event.rev != self._latest_rev:
            self._latest_rev, self._latest_facets = event.rev, set()
        self._latest_facets.add(_FACETS.get(event.type, event.type))
        _APPLY[type(event)](self, event)
        self._trim()

    def _put_message(self, state: MessageState) -> None:
        state = self._quotes.taken_from(state)
        known = self._messages.get(state.seq)
        if known is None or state.rev >= known.rev:
            self._messages[state.seq] = state
            self._quotes.changed(state)
        self.last_seq = max(self.last_seq, state.seq)

    def _with_quote(self, state: MessageState) -> MessageState:
        return self._quotes.given_to(state, self._messages)

    def _apply_message(self, event: MessageCreated | MessageUpdated | MessageDeleted) -> None:
        self._put_message(event.data)
        # Sending is reading: the sender's cursors move with the message, under its rev, without a receipt.
        self._move_cursors(event.data.sender_id, read_seq=event.data.seq, delivered_seq=event.data.seq)

    def _apply_thread(self, event: ThreadUpdated) -> None:
        self.receive_details(event.data)
        for member in event.data.members:
            self._put_member(member)

    def _name_members(self, frame: Subscribed) -> None:
        named: dict[str, MemberState] = {member.user_id: member for member in frame.members}
        # Who left meanwhile is told by the changes, unless there are none.
        is_anew = frame.members_cursor is None or self._reset or not self.members
        self.members = named if is_anew else self.members | named
        self.members_cursor = frame.members_cursor
        self._removed.clear()
        self._moved.clear()

    def _apply_member_added(self, event: MemberAdded) -> None:
        self._put_member(event.data)

    def _apply_member_removed(self, event: MemberRemoved) -> None:
        known = self.members.get(event.data.user_id)
        if known is not None and known.rev <= event.rev:
            del self.members[event.data.user_id]
        if self.members_cursor is not None:
            self._removed[event.data.user_id] = event.rev

    def _put_member(self, state: MemberState) -> None:
        known = self.members.get(state.user_id)
        if known is None or state.rev >= known.rev:
            self.members[state.user_id] = state
        # Cursors only move forward, and a receipt may have been applied since this state was read.
        if known is not None:
            self._move_cursors(state.user_id, read_seq=known.read_seq, delivered_seq=known.delivered_seq)

    def _apply_receipt(self, event: ReadReceipt | DeliveredReceipt) -> None:
        read_seq = event.seq if isinstance(event, ReadReceipt) else 0
        self._move_cursors(event.user_id, read_seq=read_seq, delivered_seq=event.seq)

    def _move_cursors(self, user_id: str, *, read_seq: int, delivered_seq: int) -> None:
        known = self.members.get(user_id)
        if known is None and self.members_cursor is not None:
            moved = self._moved.get(user_id, _NOT_MOVED)
            self._moved[user_id] = {
                "read_seq": max(moved["read_seq"], read_seq),
                "delivered_seq": max(moved["delivered_seq"], delivered_seq),
            }
        if known is None or (known.read_seq >= read_seq and known.delivered_seq >= delivered_seq):
            return
        cursors = {
            "read_seq": max(known.read_seq, read_seq),
            "delivered_seq": max(known.delivered_seq, delivered_seq),
        }
        self.members[user_id] = known.model_copy(update=cursors)

    def _trim(self) -> None:
        excess = len(self._messages) - self._messages_max
        if excess > 0:
            for seq in sorted(self._messages)[: excess + self._messages_max // 10]:
                del self._messages[seq]
            self.oldest_seq = max(self.oldest_seq, min(self._messages, default=self.last_seq + 1))

    def _start_anew(self) -> None:
        self._stale = {seq: state for seq, state in self._messages.items() if seq >= self.oldest_seq} or self._stale
        self._messages = {}
        self._quotes.clear()
        self._held = {}
        self._replay_through = None
        if self.details is not None:
            self.details = self.details.model_copy(update={"rev": 0})  # whatever the store says now is newer
        self._latest_rev, self._latest_facets = 0, set()
        self._reset = True


_NOT_MOVED: Final = {"read_seq": 0, "delivered_seq": 0}
# One change may be told by two names: an edit of a message that the reader has not seen yet is a new message to them.
_FACETS: Final = {"message_updated": "message", "message_deleted": "message", "member_removed": "member_added"}

_APPLY: Final[dict[type, Callable[[Timeline, Any], None]]] = {
    MessageCreated: Timeline._apply_message,
    MessageUpdated: Timeline._apply_message,
    MessageDeleted: Timeline._apply_message,
    ThreadUpdated: Timeline._apply_thread,
    MemberAdded: Timeline._apply_member_added,
    MemberRemoved: Timeline._apply_member_removed,
    DeliveredReceipt: Timeline._apply_receipt,
    ReadReceipt: Timeline._apply_receipt,
}


def applied_types() -> Iterable[type]:
    """The frames that a timeline applies."""
    return _APPLY.keys()

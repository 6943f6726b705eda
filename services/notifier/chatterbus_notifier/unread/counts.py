"""How connected users stand in their threads: loads and events in, changes and wants out. Pure.

Promises: once every want was loaded and every event heard, each loaded user's values are those of the store, whatever
was lost (a jump of a thread's rev, or `lost`), doubled, late, or raced with a load. Values never move back for an old
answer: of a load and of the events beyond its rev, the later counts. Mark and mute have no rev, so only a load that
began after the last sign of a change decides them (see Wants).
Does not promise that every value in between is one the store ever had, nor anything across a replaced store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from chatterbus_contracts.codec import DecodeError, encode, skim_json
from chatterbus_contracts.envelopes import Event
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import UNREAD_MENTIONS_MAX
from chatterbus_contracts.own_states import OwnStateChanged
from chatterbus_contracts.queries import Position
from chatterbus_notifier.unread.frames import preview_of
from chatterbus_notifier.unread.passed import Passed
from chatterbus_notifier.unread.standing import Standing, Thread, User, settle, unread_of
from chatterbus_notifier.unread.wants import Load, Wants

Changed = dict[tuple[UserId, ThreadId], None]


class Counts:
    """`changed` fills with what is to be told of loaded users; the caller takes it by `take_changed`."""

    def __init__(self) -> None:
        self.users: dict[UserId, User] = {}
        self.threads: dict[ThreadId, Thread] = {}
        self.wants = Wants()
        self._passed = Passed()
        self._changed: Changed = {}
        self._latest: Any = None  # the state that a thread's preview is to be made of, once per envelope

    def take_changed(self) -> Changed:
        """What changed since the last time, of users who are loaded or were told before."""
        changed, self._changed = self._changed, {}
        return changed

    # --- who is connected --------------------------------------------------------------------------------------------

    def join(self, user_id: UserId) -> User:
        """The user is connected. Not loaded, if not there yet: a load is wanted then."""
        user = self.users.get(user_id)
        if user is None:
            user = self.users[user_id] = User(user_id)
            self.wants.want_all(user_id)
        return user

    def forget(self, user_id: UserId) -> None:
        """The user is not connected any more."""
        user = self.users.pop(user_id, None)
        if user is not None:
            self.wants.drop(user_id)
            for thread_id in list(user.standings):
                self._leave(user, thread_id)

    def lost(self) -> None:
        """Events may be missing, nobody knows of which threads: everything is loaded again."""
        for thread in self.threads.values():
            thread.adrift = True
        for user_id in self.users:
            self.wants.want_all(user_id)

    # --- what the store says -----------------------------------------------------------------------------------------

    def begin_load(self) -> Load | None:
        """The next load that is wanted, if any may begin now."""
        return self.wants.take(self._passed.now)

    def absorb(self, load: Load, positions: Iterable[Position]) -> None:
        """A page of the load's answer."""
        for position in positions:
            load.named.add((position.user_id, position.thread_id))
            user = self.users.get(position.user_id)
            if user is not None:
                self._place(user, position)
                if load.thread_id is not None:
                    self._changed[(user.id, position.thread_id)] = None

    def finish_load(self, load: Load) -> list[User]:
        """All pages are there. The users of whom everything was loaded: they are to be told all of it."""
        void = self._passed.forgot_since(load.begun)
        self._end(load)
        whole = []
        for user_id in load.user_ids:
            user = self.users.get(user_id)
            if user is None:
                continue
            self._drop_unnamed(user, load)
            if void:
                self._want_again(user_id, load)
            if load.thread_id is None and not self.wants.wants_all(user_id):
                user.loaded = True
                whole.append(user)
        return whole

    def fail_load(self, load: Load) -> None:
        """No answer: what was asked is wanted still, of those who are connected still."""
        self._end(load)
        for user_id in load.user_ids:
            if user_id in self.users:
                self._want_again(user_id, load)

    def _want_again(self, user_id: UserId, load: Load) -> None:
        if load.thread_id is None:
            self.wants.want_all(user_id)
        else:
            self.wants.want(user_id, load.thread_id)

    def _end(self, load: Load) -> None:
        self.wants.done(load)
        if not self.wants.under_way:
            self._passed.clear()

    def _drop_unnamed(self, user: User, load: Load) -> None:
        known = list(user.standings) if load.thread_id is None else [load.thread_id]
        for thread_id in known:
            if thread_id in user.standings and (user.id, thread_id) not in load.named:
                self._leave(user, thread_id)
                if load.thread_id is not None:
                    self._changed[(user.id, thread_id)] = None

    def _place(self, user: User, position: Position) -> None:
        thread = self._thread_at(position)
        standing = thread.members.get(user.id)
        if standing is None:
            standing = Standing(position.read_seq, position.marked_unread_seq, position.muted, None)
            thread.members[user.id] = user.standings[thread.id] = standing
            later: list[int] = []
            if position.rev < thread.rev:
                self.wants.want(user.id, thread.id)  # events in between were applied, but not to this user
        else:
            standing.read_seq = max(standing.read_seq, position.read_seq)
            standing.marked_unread_seq = position.marked_unread_seq
            standing.muted = position.muted
            later = [seq for seq in standing.mentions or () if seq > position.last_seq]
        standing.mentions = [*reversed(position.mention_seqs), *later] or None
        settle(user, thread, standing)

    def _thread_at(self, position: Position) -> Thread:
        """The thread, moved on to what the position says. Other members hear of it by the event, or their own load:
        what they read or wrote in between is not known yet."""
        thread = self.threads.get(position.thread_id)
        if thread is None:
            rev = max(position.rev, self._passed.rev_of(position.thread_id))
            thread = self.threads[position.thread_id] = Thread(position.thread_id, rev)
        elif thread.adrift:
            thread.rev, thread.adrift = max(thread.rev, position.rev), False
        if position.rev >= thread.preview_rev:
            if position.last_message is not None:
                thread.preview, thread.preview_rev = encode(position.last_message), position.rev
            elif position.last_seq > thread.last_seq:
                thread.preview, thread.preview_rev = None, position.rev
        thread.last_seq = max(thread.last_seq, position.last_seq)
        return thread

    def _leave(self, user: User, thread_id: ThreadId) -> None:
        user.total -= user.standings.pop(thread_id).counted
        thread = self.threads[thread_id]
        del thread.members[user.id]
        if not thread.members:
            del self.threads[thread_id]
            self._pass_by(thread_id, thread.rev)

    def _pass_by(self, thread_id: ThreadId, rev: int) -> None:
        if self.wants.under_way:
            self._passed.note(thread_id, rev)

    # --- what is announced -------------------------------------------------------------------------------------------

    def hear(self, thread_id: ThreadId, events: Iterable[Event]) -> None:
        """Events of a thread. Their frames are looked into only as far as somebody connected may be concerned."""
        for event in events:
            thread = self.threads.get(thread_id)
            if thread is None:
                self._pass_by(thread_id, event.rev)
                if event.type == "member_added":
                    self._apply(Counts._added, thread_id, event)
                continue
            if event.rev <= thread.rev:
                continue
            if event.rev != thread.rev + 1:
                self._reload(thread)
            thread.rev = event.rev
            apply = APPLY.get(event.type)
            if apply is not None and not self._apply(apply, thread, event):
                self._reload(thread)
        self._preview(thread_id)

    def _preview(self, thread_id: ThreadId) -> None:
        message, self._latest = self._latest, None
        thread = self.threads.get(thread_id)
        if message is None or thread is None:
            return
        try:
            thread.preview = preview_of(message)
        except (LookupError, TypeError):
            self._reload(thread)

    def _apply(self, apply: Callable[[Counts, Any, Any], None], target: Thread | ThreadId, event: Event) -> bool:
        """False: the frame is not what it should be, which is as if it was lost."""
        try:
            apply(self, target, skim_json(event.frame))
        except (DecodeError, LookupError, TypeError, AttributeError):
            return False
        return True

    def hear_own(self, state: OwnStateChanged) -> None:
        """Somebody read, marked, or muted, without an event. Of unknown order, so only the cursor is believed."""
        user, thread = self.users.get(state.user_id), self.threads.get(state.thread_id)
        if user is None:
            return
        standing = None if thread is None else thread.members.get(state.user_id)
        if thread is None or standing is None:
            if self.wants.is_busy(user.id):
                self.wants.want(user.id, state.thread_id)
            return
        differs = (state.marked_unread_seq, state.muted) != (standing.marked_unread_seq, standing.muted)
        if differs or self.wants.is_busy(user.id):
            self.wants.want(user.id, thread.id)
        if state.read_seq > standing.read_seq:
            standing.read_seq = state.read_seq
            settle(user, thread, standing)
            self._changed[(user.id, thread.id)] = None

    def _reload(self, thread: Thread) -> None:
        thread.adrift = False
        for user_id in thread.members:
            self.wants.want(user_id, thread.id)

    def _message(self, thread: Thread, frame: Any) -> None:
        message = frame["data"]
        seq, sender = message["seq"], message["senderId"]
        mentions = message["mentions"]
        if seq >= thread.last_seq:
            thread.last_seq, thread.preview_rev = seq, thread.rev
            self._latest = message
        for user_id, standing in thread.members.items():
            if user_id == sender:
                self._has_read(user_id, thread, standing, seq)
            elif user_id in mentions:
                standing.mention(seq)
            settle(self.users[user_id], thread, standing)
            self._changed[(user_id, thread.id)] = None

    def _message_changed(self, thread: Thread, frame: Any) -> None:
        message = frame["data"]
        seq = message["seq"]
        if seq == thread.last_seq and thread.rev > thread.preview_rev:
            thread.preview_rev = thread.rev
            self._latest = message
            for user_id, standing in thread.members.items():
                if unread_of(thread, standing):
                    self._changed[(user_id, thread.id)] = None
        if message["deleted"]:
            self._deleted(thread, seq)

    def _deleted(self, thread: Thread, seq: int) -> None:
        for user_id, standing in thread.members.items():
            if standing.mentions is not None and seq in standing.mentions:
                standing.mentions.remove(seq)
                standing.mentions = standing.mentions or None
                self._changed[(user_id, thread.id)] = None
                if len(standing.mentions or ()) + 1 == UNREAD_MENTIONS_MAX:
                    self.wants.want(user_id, thread.id)  # an older one may count now
            if self.wants.is_busy(user_id):
                self.wants.want(user_id, thread.id)  # the answer on its way may hold the mention

    def _read(self, thread: Thread, frame: Any) -> None:
        user_id = frame["userId"]
        standing = thread.members.get(user_id)
        if standing is not None:
            self._has_read(user_id, thread, standing, frame["seq"])
            settle(self.users[user_id], thread, standing)
            self._changed[(user_id, thread.id)] = None

    def _has_read(self, user_id: UserId, thread: Thread, standing: Standing, seq: int) -> None:
        standing.read_seq = max(standing.read_seq, seq)
        if standing.marked_unread_seq is not None or self.wants.is_busy(user_id):
            # Reading clears the mark; whether it was set again before this was heard, the store knows.
            standing.marked_unread_seq = None
            self.wants.want(user_id, thread.id)

    def _member_added(self, thread: Thread, frame: Any) -> None:
        if frame["data"]["userId"] not in thread.members:
            self._added(thread.id, frame)

    def _added(self, thread_id: ThreadId, frame: Any) -> None:
        user_id = frame["data"]["userId"]
        if user_id in self.users:
            self.wants.want(user_id, thread_id)

    def _member_removed(self, thread: Thread, frame: Any) -> None:
        user_id = frame["data"]["userId"]
        if user_id in thread.members:
            self._leave(self.users[user_id], thread.id)
            self._changed[(user_id, thread.id)] = None


# Types that cannot move anybody's count are not here: of them only the rev counts.
APPLY: Final[dict[str, Callable[[Counts, Thread, Any], None]]] = {
    "message": Counts._message,
    "message_updated": Counts._message_changed,
    "message_deleted": Counts._message_changed,
    "read_receipt": Counts._read,
    "member_added": Counts._member_added,
    "member_removed": Counts._member_removed,
}

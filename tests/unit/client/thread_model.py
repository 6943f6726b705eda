"""The server's side of one thread as a model: every change takes the next rev, changes-since are current states.

Told the hard way on purpose: superseded revs are absent, and a message's rev is also its sender's read receipt's. As in
the store, a membership keeps the rev of its own last change when a cursor moves: a live event tells only what changed,
so what is superseded must be superseded by something that tells as much.
"""

from dataclasses import dataclass, field
from typing import Any

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
from chatterbus_contracts.ids import ClientMessageId, ThreadId, UserId, message_id
from chatterbus_contracts.limits import MEMBERS_PAGE_MAX
from chatterbus_contracts.queries import Change, ChangesPage, HistoryPage, Receipts
from chatterbus_contracts.states import (
    MemberState,
    MessageState,
    MessageType,
    OwnState,
    Quote,
    ReactionState,
    Role,
    ThreadDetail,
    ThreadState,
)

AT = "2026-01-31T12:00:00.000Z"


@dataclass
class MemberRow:
    state: MemberState
    removed: bool = False
    membership_rev: int = 0
    read_rev: int = 0
    delivered_rev: int = 0


@dataclass
class ThreadModel:
    id: ThreadId
    rev: int = 0
    last_seq: int = 0
    title: str | None = None
    metadata: dict[str, Any] | None = None
    title_rev: int = 0
    messages: dict[int, MessageState] = field(default_factory=dict)
    created_revs: dict[int, int] = field(default_factory=dict)
    revisions: dict[int, list[str]] = field(default_factory=dict)
    members: dict[str, MemberRow] = field(default_factory=dict)
    by_client_id: dict[tuple[str, str], int] = field(default_factory=dict)
    members_max: int = MEMBERS_PAGE_MAX  # named in one answer

    def join(self, user: str, role: Role = Role.MEMBER) -> list[Change]:
        """Add a member, or give one another role."""
        row = self.members.get(user)
        if row is not None and not row.removed and row.state.role is role:
            return []
        known = row.state if row is not None else None
        state = MemberState(
            user_id=UserId(user),
            user_type="user",
            role=role,
            delivered_seq=known.delivered_seq if known else 0,
            read_seq=known.read_seq if known else 0,
            joined_at=AT,
            rev=self._next_rev(),
        )
        if row is None:
            self.members[user] = MemberRow(state, membership_rev=state.rev)
        else:
            row.state, row.removed, row.membership_rev = state, False, state.rev
        return [MemberAdded(thread_id=self.id, rev=state.rev, data=state)]

    def remove(self, user: str) -> list[Change]:
        row = self.members.get(user)
        if row is None or row.removed:
            return []
        row.removed = True
        row.membership_rev = self._next_rev()
        row.state = row.state.model_copy(update={"rev": row.membership_rev})
        return [MemberRemoved(thread_id=self.id, rev=row.state.rev, data=row.state)]

    def retitle(self, title: str | None, metadata: dict[str, Any] | None = None) -> list[Change]:
        self.title, self.metadata, self.title_rev = title, metadata, self._next_rev()
        return [self._thread_event()]

    def send(
        self, user: str, client_message_id: str, content: str, *, reply_to: int | None = None, **fields: Any
    ) -> tuple[MessageState, list[Change]]:
        known = self.by_client_id.get((user, client_message_id))
        if known is not None:
            return self.messages[known], []
        self.last_seq += 1
        state = MessageState(
            id=message_id(self.id, self.last_seq),
            thread_id=self.id,
            seq=self.last_seq,
            rev=self._next_rev(),
            sender_id=UserId(user),
            sender_type="user",
            client_message_id=ClientMessageId(client_message_id),
            content=content,
            message_type=MessageType.TEXT,
            edited=False,
            edited_at=None,
            deleted=False,
            deleted_at=None,
            reply_to_id=None if reply_to is None else message_id(self.id, reply_to),
            created_at=AT,
            updated_at=AT,
            attachments=[],
            mentions=[],
            metadata=None,
            reactions=[],
        ).model_copy(update=fields)
        self.messages[state.seq] = state
        self.created_revs[state.seq] = state.rev
        self.by_client_id[(user, client_message_id)] = state.seq
        row = self.members.get(user)
        if row is not None:
            row.state = row.state.model_copy(
                update={"read_seq": state.seq, "delivered_seq": state.seq, "rev": state.rev}
            )
            row.read_rev = row.delivered_rev = state.rev
        return state, [self._live(state)]

    def edit(self, seq: int, content: str) -> list[Change]:
        known = self.messages.get(seq)
        if known is None or known.deleted or known.content == content:
            return []
        self.revisions.setdefault(seq, []).insert(0, known.content)
        return self._change(known, content=content, edited=True, edited_at=AT)

    def delete(self, seq: int) -> list[Change]:
        known = self.messages.get(seq)
        if known is None or known.deleted:
            return []
        self.revisions.pop(seq, None)
        return self._change(
            known, content="", deleted=True, deleted_at=AT, reactions=[], attachments=[], mentions=[], metadata=None
        )

    def react(self, user: str, seq: int, emoji: str, *, on: bool = True) -> list[Change]:
        known = self.messages.get(seq)
        if known is None or known.deleted:
            return []
        users = {state.emoji: list(state.user_ids) for state in known.reactions}
        if (user in users.get(emoji, [])) == on:
            return []
        if on:
            users.setdefault(emoji, []).append(UserId(user))
        else:
            users[emoji].remove(UserId(user))
        reactions = [ReactionState(emoji=key, count=len(ids), user_ids=ids) for key, ids in users.items() if ids]
        return self._change(known, reactions=reactions)

    def read(self, user: str, seq: int) -> list[Change]:
        row = self.members.get(user)
        seq = min(seq, self.last_seq)
        if row is None or row.removed or seq <= row.state.read_seq:
            return []
        row.read_rev = self._next_rev()
        update = {"read_seq": seq, "rev": row.read_rev}
        if seq > row.state.delivered_seq:
            update["delivered_seq"] = seq
            row.delivered_rev = row.read_rev
        row.state = row.state.model_copy(update=update)
        return [self._read_event(row)]

    def deliver(self, user: str, seq: int) -> list[Change]:
        row = self.members.get(user)
        seq = min(seq, self.last_seq)
        if row is None or row.removed or seq <= row.state.delivered_seq:
            return []
        row.delivered_rev = self._next_rev()
        row.state = row.state.model_copy(update={"delivered_seq": seq, "rev": row.delivered_rev})
        return [self._delivered_event(row)]

    def changes(self, since_rev: int, limit: int = 500) -> ChangesPage:
        items: list[Change] = [self._message_event(state, since_rev) for state in self.messages.values()]
        for row in self.members.values():
            if row.removed:
                items.append(MemberRemoved(thread_id=self.id, rev=row.membership_rev, data=row.state))
                continue
            items.append(MemberAdded(thread_id=self.id, rev=row.membership_rev, data=row.state))
            if row.read_rev:
                items.append(self._read_event(row))
            if row.state.delivered_seq > row.state.read_seq:
                items.append(self._delivered_event(row))
        if self.title_rev:
            items.append(self._thread_event())
        due = sorted((item for item in items if item.rev > since_rev), key=lambda item: (item.rev, item.type))
        page = due[:limit]
        while len(page) < len(due) and due[len(page)].rev == page[-1].rev:
            page.append(due[len(page)])
        complete = len(page) == len(due)
        return ChangesPage(
            thread_id=self.id,
            items=page,
            through_rev=self.rev if complete else page[-1].rev,
            rev=self.rev,
            complete=complete,
            next_cursor=None,
        )

    def history(self, *, before_seq: int | None = None, limit: int = 50) -> HistoryPage:
        seqs = [seq for seq in sorted(self.messages) if before_seq is None or seq < before_seq][-limit:]
        return HistoryPage(items=[self.quoted(seq) for seq in seqs], next_cursor=None)

    def quoted(self, seq: int) -> MessageState:
        """A message as history shows it."""
        state = self.messages[seq]
        if state.reply_to_id is None:
            return state
        target = self.messages[int(state.reply_to_id.rpartition("~")[2])]
        quote = Quote(id=target.id, sender_id=target.sender_id, content=target.content[:200], deleted=target.deleted)
        return state.model_copy(update={"reply_to": quote})

    def sync(
        self, since_rev: int | None, *, limit: int = 500, ref: str | None = None
    ) -> tuple[Subscribed, list[Change]]:
        """The answer to a subscribe, and what follows it."""
        page = self.changes(since_rev, limit) if since_rev is not None and since_rev <= self.rev else None
        result = "complete" if since_rev is None else "reset" if page is None else "complete"
        if page is not None and not page.complete:
            result = "page"
        frame = Subscribed.model_validate(
            {
                "thread_id": self.id,
                "rev": self.rev,
                "through_rev": page.through_rev if page is not None else self.rev,
                "last_seq": self.last_seq,
                **self.named(),
                "result": result,
                "reason": "unknown rev" if result == "reset" else None,
                "ref": ref,
            }
        )
        return frame, (page.items if page is not None else [])

    def named(self) -> dict[str, Any]:
        """The members that an answer names, and where the others are."""
        page = self.members_behind(None)
        if page.next_cursor is None:
            return {"members": page.items}
        count = len(self.member_states())
        return {"members": page.items, "member_count": count, "members_cursor": page.next_cursor}

    def members_behind(self, cursor: str | None) -> Receipts:
        """A page of them, by user id."""
        behind = sorted(
            (member for member in self.member_states() if member.user_id > (cursor or "")), key=lambda one: one.user_id
        )
        items = behind[: self.members_max]
        return Receipts(
            thread_id=self.id, items=items, next_cursor=items[-1].user_id if len(items) < len(behind) else None
        )

    def member_states(self) -> list[MemberState]:
        return [row.state for row in self.members.values() if not row.removed]

    def details(self) -> ThreadState:
        return ThreadState(
            id=self.id,
            title=self.title,
            metadata=self.metadata,
            created_by=UserId("alice"),
            created_at=AT,
            last_seq=self.last_seq,
            rev=self.rev,
            last_message_at=None,
            members=[],
        )

    def detail(self, user: str) -> ThreadDetail:
        row = self.members.get(user)
        read_seq = row.state.read_seq if row is not None else 0
        own = OwnState(
            read_seq=read_seq,
            unread=self.last_seq - read_seq,
            marked_unread_seq=None,
            archived=False,
            muted=False,
            show_receipts=True,
        )
        state = self.details().model_copy(update={"members": self.member_states()})
        return ThreadDetail(**dict(state), own=own)

    def _next_rev(self) -> int:
        self.rev += 1
        return self.rev

    def _change(self, known: MessageState, **changes: Any) -> list[Change]:
        state = self.messages[known.seq] = known.model_copy(update={**changes, "rev": self._next_rev()})
        return [self._live(state)]

    def _live(self, state: MessageState) -> Change:
        return self._message_event(state, state.rev - 1)

    def _message_event(self, state: MessageState, known_rev: int) -> Change:
        """As told to somebody who has seen everything through `known_rev`: what is new to them is a new message."""
        is_new = self.created_revs[state.seq] > known_rev
        kind = MessageDeleted if state.deleted else MessageCreated if is_new else MessageUpdated
        return kind(thread_id=self.id, rev=state.rev, data=state)

    def _thread_event(self) -> Change:
        return ThreadUpdated(thread_id=self.id, rev=self.title_rev, data=self.details())

    def _read_event(self, row: MemberRow) -> Change:
        seq = row.state.read_seq
        return ReadReceipt(
            thread_id=self.id,
            rev=row.read_rev,
            user_id=row.state.user_id,
            message_id=message_id(self.id, seq),
            seq=seq,
            at=AT,
        )

    def _delivered_event(self, row: MemberRow) -> Change:
        seq = row.state.delivered_seq
        return DeliveredReceipt(
            thread_id=self.id,
            rev=row.delivered_rev,
            user_id=row.state.user_id,
            message_id=message_id(self.id, seq),
            seq=seq,
            at=AT,
        )

"""The ledger as one would explain it: every command against plain dictionaries, without seq, rev or rows to keep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chatterbus_contracts import commands as c
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.states import Role

Answer = tuple[str, int]
"""("message_ack", seq), ("ack", 0), or (code of the refusal, 0)."""
ACK: Final[Answer] = ("ack", 0)


def refuse(code: str) -> Refusal:
    return Refusal(ErrorCode(code), "")


@dataclass
class ModelMessage:
    sender: str
    name: str
    content: str
    files: list[str]
    deleted: bool = False
    former: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class ModelMember:
    role: Role
    gone: bool = False
    delivered: int = 0
    read: int = 0
    shown: int = 0
    archived: int | None = None
    muted: bool = False
    show: bool = True
    marked: int | None = None


@dataclass
class ModelThread:
    open: bool
    title: str | None
    metadata: Any
    members: dict[str, ModelMember]
    messages: list[ModelMessage] = field(default_factory=list)
    files: dict[str, tuple[str, int | None]] = field(default_factory=dict)  # (owner, seq)

    def now(self) -> dict[str, ModelMember]:
        return {user: member for user, member in self.members.items() if not member.gone}

    def caller(self, user: str) -> ModelMember:
        if user not in self.members:
            raise refuse("THREAD_NOT_FOUND")
        if self.members[user].gone:
            raise refuse("NOT_A_MEMBER")
        return self.members[user]

    def writer(self, user: str) -> ModelMember:
        if self.caller(user).role is Role.READER:
            raise refuse("FORBIDDEN")
        return self.members[user]

    def owner(self, user: str) -> None:
        if self.caller(user).role is not Role.OWNER:
            raise refuse("FORBIDDEN")

    def need_another_owner(self, user: str) -> None:
        owners = {name for name, member in self.now().items() if member.role is Role.OWNER}
        if owners == {user}:
            raise refuse("LAST_OWNER")

    def join(self, user: str, role: Role) -> None:
        member = self.members.setdefault(user, ModelMember(role))
        member.role, member.gone = role, False

    def message(self, message_id: str) -> ModelMessage:
        seq = int(message_id.partition("~")[2])
        if seq > len(self.messages):
            raise refuse("MESSAGE_NOT_FOUND")
        return self.messages[seq - 1]

    def living(self, message_id: str) -> ModelMessage:
        if self.message(message_id).deleted:
            raise refuse("MESSAGE_DELETED")
        return self.message(message_id)


class Model:
    """Applies commands one by one; says what each is answered."""

    def __init__(self) -> None:
        self.threads: dict[str, ModelThread] = {}

    def apply(self, command: c.Command) -> Answer:
        thread = self.threads.get(command.thread_id)
        try:
            if isinstance(command, c.CreateThread):
                return self._create(command, thread)
            if thread is None:
                raise refuse("THREAD_NOT_FOUND")
            return APPLY[type(command)](thread, command) or ACK
        except Refusal as refusal:
            return refusal.code, 0

    def answer_now(self, command: c.Command) -> Answer:
        """What the command would be answered if it came now."""
        return copy.deepcopy(self).apply(command)

    def _create(self, command: c.CreateThread, thread: ModelThread | None) -> Answer:
        if thread is None:
            roles = {member.user_id: member.role for member in command.members} | {command.user_id: Role.OWNER}
            members = {str(user): ModelMember(role) for user, role in roles.items()}
            self.threads[command.thread_id] = ModelThread(command.open, command.title, command.metadata, members)
        elif command.user_id not in thread.now():
            if not (thread.open and command.open):
                raise refuse("FORBIDDEN")
            thread.join(command.user_id, Role.MEMBER)
        return ACK


def _update(thread: ModelThread, command: c.UpdateThread) -> None:
    thread.owner(command.user_id)
    for name in command.fields:
        setattr(thread, name, getattr(command, name))


def _add(thread: ModelThread, command: c.AddMember) -> None:
    thread.owner(command.user_id)
    known = thread.now().get(command.member.user_id)
    if known is None or known.role is not command.member.role:
        thread.need_another_owner(command.member.user_id)
        thread.join(command.member.user_id, command.member.role)


def _remove(thread: ModelThread, command: c.RemoveMember) -> None:
    thread.caller(command.user_id)
    if command.member_id != command.user_id:
        thread.owner(command.user_id)
    if command.member_id in thread.now():
        if len(thread.now()) > 1:
            thread.need_another_owner(command.member_id)
        thread.members[command.member_id].gone = True


def _send(thread: ModelThread, command: c.StoreMessage) -> Answer:
    member = thread.caller(command.user_id)
    sent = [(message.sender, message.name) for message in thread.messages]
    key = (command.user_id, command.client_message_id)
    if key in sent:
        return "message_ack", sent.index(key) + 1
    thread.writer(command.user_id)
    if command.reply_to_id is not None and int(command.reply_to_id.partition("~")[2]) > len(sent):
        raise refuse("REPLY_TARGET_NOT_FOUND")
    if any(thread.files.get(file) != (command.user_id, None) for file in command.attachment_ids):
        raise refuse("ATTACHMENT_NOT_FOUND")
    seq = len(sent) + 1
    thread.messages.append(ModelMessage(*key, command.content, list(command.attachment_ids)))
    thread.files |= dict.fromkeys(command.attachment_ids, (command.user_id, seq))
    member.delivered = member.read = member.shown = seq
    member.marked = None
    return "message_ack", seq


def _edit(thread: ModelThread, command: c.ReviseMessage) -> None:
    thread.writer(command.user_id)
    message = thread.living(command.message_id)
    if message.sender != command.user_id:
        raise refuse("FORBIDDEN")
    if not command.content.strip() and not message.files:
        raise refuse("CONTENT_EMPTY")
    if command.content != message.content:
        message.former.append(message.content)
        message.content = command.content


def _delete(thread: ModelThread, command: c.RemoveMessage) -> None:
    member = thread.writer(command.user_id)
    message = thread.message(command.message_id)
    if message.sender != command.user_id and member.role is not Role.OWNER:
        raise refuse("FORBIDDEN")
    message.deleted, message.content = True, ""
    message.former, message.reactions, message.files = [], {}, []


def _react(thread: ModelThread, command: c.SetReaction) -> None:
    thread.writer(command.user_id)
    message = thread.living(command.message_id)
    users = message.reactions.setdefault(command.emoji, [])
    if (command.user_id in users) != command.on:
        (users.append if command.on else users.remove)(command.user_id)
    if not users:
        del message.reactions[command.emoji]


def _register(thread: ModelThread, command: c.RegisterAttachment) -> None:
    thread.writer(command.user_id)
    thread.files.setdefault(command.attachment_id, (command.user_id, None))


def _move(thread: ModelThread, command: c.MoveCursor) -> None:
    member, last = thread.caller(command.user_id), len(thread.messages)
    read = min(command.read_seq or 0, last)
    if command.read_seq is not None:
        member.marked = None
    if member.show and read > member.read:
        member.shown = read
    member.read = max(member.read, read)
    member.delivered = max(member.delivered, min(command.delivered_seq or 0, last), read if member.show else 0)


def _mark(thread: ModelThread, command: c.MarkUnread) -> None:
    member = thread.caller(command.user_id)
    if command.seq > len(thread.messages):
        raise refuse("MESSAGE_NOT_FOUND")
    member.marked = command.seq


def _own(thread: ModelThread, command: c.ChangeOwnState) -> None:
    member = thread.caller(command.user_id)
    if command.archived is not None:
        member.archived = len(thread.messages) if command.archived else None
    member.muted = member.muted if command.muted is None else command.muted
    member.show = member.show if command.show_receipts is None else command.show_receipts


APPLY: Final[dict[type[c.Command], Callable[[ModelThread, Any], Answer | None]]] = {
    c.UpdateThread: _update,
    c.AddMember: _add,
    c.RemoveMember: _remove,
    c.StoreMessage: _send,
    c.ReviseMessage: _edit,
    c.RemoveMessage: _delete,
    c.SetReaction: _react,
    c.RegisterAttachment: _register,
    c.MoveCursor: _move,
    c.MarkUnread: _mark,
    c.ChangeOwnState: _own,
}

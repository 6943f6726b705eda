"""The ledger in forty lines, as one would explain it, and a client's view of a thread built from frames."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from chatterbus_contracts.commands import AddMember, Command, CreateThread, MoveCursor, StoreMessage
from chatterbus_contracts.states import Role
from chatterbus_persister.frames import message_state
from tests.kit.ledger_fake import Tables

Answer = tuple[str, int]
"""("message_ack", seq), ("ack", 0), or (code of the refusal, 0)."""


@dataclass
class ModelThread:
    open: bool
    roles: dict[str, Role]
    cursors: dict[str, list[int]] = field(default_factory=dict)  # [delivered, read]
    sent: list[tuple[str, str]] = field(default_factory=list)  # (sender, clientMessageId) of seq 1, 2, ...


class Model:
    """Applies commands one by one; says what each is answered."""

    def __init__(self) -> None:
        self.threads: dict[str, ModelThread] = {}

    def apply(self, command: Command) -> Answer:
        thread = self.threads.get(command.thread_id)
        if isinstance(command, CreateThread):
            return self._create(command, thread)
        if thread is None or command.user_id not in thread.roles:
            return "THREAD_NOT_FOUND", 0
        if isinstance(command, StoreMessage):
            return self._send(command, thread)
        if isinstance(command, MoveCursor):
            read = min(command.read_seq or 0, len(thread.sent))
            delivered = max(min(command.delivered_seq or 0, len(thread.sent)), read)
            cursor = thread.cursors[command.user_id]
            cursor[:] = [max(cursor[0], delivered), max(cursor[1], read)]
            return "ack", 0
        return self._add(command, thread)

    def answer_now(self, command: Command) -> Answer:
        """What the command would be answered if it came now."""
        return copy.deepcopy(self).apply(command)

    def _create(self, command: CreateThread, thread: ModelThread | None) -> Answer:
        if thread is None:
            roles = {member.user_id: member.role for member in command.members} | {command.user_id: Role.OWNER}
            self.threads[command.thread_id] = ModelThread(command.open, dict(roles), {user: [0, 0] for user in roles})
        elif command.user_id not in thread.roles:
            if not (thread.open and command.open):
                return "FORBIDDEN", 0
            thread.roles[command.user_id], thread.cursors[command.user_id] = Role.MEMBER, [0, 0]
        return "ack", 0

    def _add(self, command: AddMember, thread: ModelThread) -> Answer:
        if thread.roles[command.user_id] is not Role.OWNER:
            return "FORBIDDEN", 0
        thread.roles[command.member.user_id] = command.member.role
        thread.cursors.setdefault(command.member.user_id, [0, 0])
        return "ack", 0

    def _send(self, command: StoreMessage, thread: ModelThread) -> Answer:
        key = (command.user_id, command.client_message_id)
        if key not in thread.sent:
            if thread.roles[command.user_id] is Role.READER:
                return "FORBIDDEN", 0
            if command.reply_to_id is not None and int(command.reply_to_id.partition("~")[2]) > len(thread.sent):
                return "REPLY_TARGET_NOT_FOUND", 0
            thread.sent.append(key)
            thread.cursors[command.user_id] = [len(thread.sent)] * 2
        return "message_ack", thread.sent.index(key) + 1


@dataclass
class View:
    """A thread as a client keeps it. `apply` takes a frame of any age; revs already covered change nothing."""

    rev: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, list[int]] = field(default_factory=dict)
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)

    def apply(self, frame: dict[str, Any]) -> None:
        getattr(self, "_" + str(frame["type"]))(frame)

    def _message(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        self.messages[data["seq"]] = data
        self._moved(data["senderId"], data["seq"], data["seq"])

    def _thread_updated(self, frame: dict[str, Any]) -> None:
        self.facts = {name: frame["data"][name] for name in ("title", "metadata", "createdBy", "createdAt")}

    def _member_added(self, frame: dict[str, Any]) -> None:
        data = frame["data"]
        self.roles[data["userId"]] = data["role"]
        self._moved(data["userId"], data["deliveredSeq"], data["readSeq"])

    def _read_receipt(self, frame: dict[str, Any]) -> None:
        self._moved(frame["userId"], frame["seq"], frame["seq"])

    def _delivered_receipt(self, frame: dict[str, Any]) -> None:
        self._moved(frame["userId"], frame["seq"], 0)

    def _moved(self, user: str, delivered: int, read: int) -> None:
        cursor = self.cursors.setdefault(user, [0, 0])
        cursor[:] = [max(cursor[0], delivered), max(cursor[1], read)]

    def same_as(self, other: View) -> bool:
        return (self.roles, self.cursors, self.messages) == (other.roles, other.cursors, other.messages)


def stored_view(tables: Tables, thread_id: str) -> View:
    """The same, read from the tables."""
    members = [row for (thread, _), row in tables.members.items() if thread == thread_id]
    return View(
        rev=next(row.last_rev for key, row in tables.threads.items() if key == thread_id),
        roles={row.user_id: row.role.value for row in members},
        cursors={row.user_id: [row.delivered_seq, row.read_seq] for row in members},
        messages={seq: message_state(row) for (thread, seq), row in tables.messages.items() if thread == thread_id},
    )

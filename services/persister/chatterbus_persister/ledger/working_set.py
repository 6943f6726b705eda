"""The rows that one batch concerns: what was loaded, what became of it, and what must be written.

Promises: a row is loaded once, changed in memory, and written once per batch however often it changed; the marks say
exactly which rows are new and which changed. Bounded by the batch. No input or output.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chatterbus_contracts.commands import AddMember, Command, CreateThread, StoreMessage
from chatterbus_contracts.ids import ClientMessageId, ThreadId, UserId
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow

MemberKey = tuple[ThreadId, UserId]
SendKey = tuple[ThreadId, UserId, ClientMessageId]


@dataclass(slots=True)
class Keys:
    """What a batch needs to have loaded. Insertion-ordered and free of doubles."""

    threads: dict[ThreadId, None] = field(default_factory=dict)
    members: dict[MemberKey, None] = field(default_factory=dict)
    sends: dict[SendKey, None] = field(default_factory=dict)


@dataclass(slots=True)
class WorkingSet:
    """Loaded rows by key, and what the handlers did to them."""

    threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    sends: dict[SendKey, MessageRow] = field(default_factory=dict)
    new_threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    changed_threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    new_members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    changed_members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    new_messages: list[MessageRow] = field(default_factory=list)

    def add_thread(self, row: ThreadRow) -> None:
        """A thread that does not exist yet."""
        self.threads[row.thread_id] = row
        self.new_threads[row.thread_id] = row

    def add_member(self, row: MemberRow) -> None:
        """A membership that never existed."""
        key = (row.thread_id, row.user_id)
        self.members[key] = row
        self.new_members[key] = row

    def add_message(self, row: MessageRow) -> None:
        """A message whose seq and rev were just taken from its thread."""
        self.new_messages.append(row)
        self.sends[(row.thread_id, row.sender_id, row.client_message_id)] = row

    def touch_thread(self, row: ThreadRow) -> None:
        """The row changed and must be written."""
        if row.thread_id not in self.new_threads:
            self.changed_threads[row.thread_id] = row

    def touch_member(self, row: MemberRow) -> None:
        """The row changed and must be written."""
        key = (row.thread_id, row.user_id)
        if key not in self.new_members:
            self.changed_members[key] = row

    def next_rev(self, thread: ThreadRow) -> int:
        """The next rev of the thread, taken."""
        thread.last_rev += 1
        self.touch_thread(thread)
        return thread.last_rev


def keys_of(commands: Iterable[Command]) -> Keys:
    """Everything the handlers may look at for these commands."""
    keys = Keys()
    for command in commands:
        keys.threads[command.thread_id] = None
        keys.members[(command.thread_id, command.user_id)] = None
        if isinstance(command, StoreMessage):
            keys.sends[(command.thread_id, command.user_id, command.client_message_id)] = None
        elif isinstance(command, CreateThread):
            for member in command.members:
                keys.members[(command.thread_id, member.user_id)] = None
        elif isinstance(command, AddMember):
            keys.members[(command.thread_id, command.member.user_id)] = None
    return keys

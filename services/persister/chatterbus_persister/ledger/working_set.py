"""The rows that one batch concerns: what was loaded, what became of it, and what must be written.

Promises: a row is loaded once, changed in memory, and written once per batch however often it changed; the marks say
exactly which rows are new and which changed. Bounded by the batch. No input or output.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chatterbus_contracts.commands import (
    AddMember,
    Command,
    CreateThread,
    RegisterAttachment,
    RemoveMember,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
    StoreMessage,
)
from chatterbus_contracts.ids import AttachmentId, ClientMessageId, ThreadId, UserId, split_message_id
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.ledger.rows import (
    AttachmentRow,
    CursorStep,
    MemberRow,
    MessageRow,
    RevisionRow,
    ThreadRow,
)

MemberKey = tuple[ThreadId, UserId]
SendKey = tuple[ThreadId, UserId, ClientMessageId]
MessageKey = tuple[ThreadId, int]
AttachmentKey = tuple[ThreadId, AttachmentId]


@dataclass(slots=True)
class Keys:
    """What a batch needs to have loaded. Insertion-ordered and free of doubles. `owners`: threads of which all
    owners are needed."""

    threads: dict[ThreadId, None] = field(default_factory=dict)
    members: dict[MemberKey, None] = field(default_factory=dict)
    sends: dict[SendKey, None] = field(default_factory=dict)
    messages: dict[MessageKey, None] = field(default_factory=dict)
    attachments: dict[AttachmentKey, None] = field(default_factory=dict)
    owners: dict[ThreadId, None] = field(default_factory=dict)


@dataclass(slots=True)
class WorkingSet:
    """Loaded rows by key, and what the handlers did to them."""

    threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    sends: dict[SendKey, MessageRow] = field(default_factory=dict)
    messages: dict[MessageKey, MessageRow] = field(default_factory=dict)
    attachments: dict[AttachmentKey, AttachmentRow] = field(default_factory=dict)
    new_threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    changed_threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    described_threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    new_members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    changed_members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    new_messages: list[MessageRow] = field(default_factory=list)
    changed_messages: dict[MessageKey, MessageRow] = field(default_factory=dict)
    new_attachments: dict[AttachmentKey, AttachmentRow] = field(default_factory=dict)
    changed_attachments: dict[AttachmentKey, AttachmentRow] = field(default_factory=dict)
    new_revisions: list[RevisionRow] = field(default_factory=list)
    new_steps: dict[tuple[ThreadId, UserId, int], CursorStep] = field(default_factory=dict)
    emptied: dict[MessageKey, None] = field(default_factory=dict)
    policy: LedgerPolicy = field(default_factory=LedgerPolicy)

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
        self.messages[(row.thread_id, row.seq)] = row

    def add_attachment(self, row: AttachmentRow) -> None:
        """A file that was just stored."""
        key = (row.thread_id, row.attachment_id)
        self.attachments[key] = row
        self.new_attachments[key] = row

    def touch_thread(self, row: ThreadRow) -> None:
        """The row's position changed and must be written."""
        if row.thread_id not in self.new_threads:
            self.changed_threads[row.thread_id] = row

    def describe_thread(self, row: ThreadRow) -> None:
        """Title, metadata or the number of members changed too."""
        if row.thread_id not in self.new_threads:
            self.described_threads[row.thread_id] = row

    def touch_member(self, row: MemberRow) -> None:
        """The row changed and must be written."""
        key = (row.thread_id, row.user_id)
        if key not in self.new_members:
            self.changed_members[key] = row

    def touch_message(self, row: MessageRow) -> None:
        """What the message is from now on; a new message is inserted as it came, and then brought to this."""
        key = (row.thread_id, row.seq)
        self.messages[key] = self.changed_messages[key] = row

    def touch_attachment(self, row: AttachmentRow) -> None:
        """The row changed and must be written."""
        key = (row.thread_id, row.attachment_id)
        if key not in self.new_attachments:
            self.changed_attachments[key] = row

    def add_revision(self, row: RevisionRow) -> None:
        """A text that was replaced."""
        self.new_revisions.append(row)

    def empty_message(self, row: MessageRow) -> None:
        """Its former texts and its files go; they are removed after everything else of the batch was written."""
        self.emptied[(row.thread_id, row.seq)] = None

    def add_step(self, step: CursorStep) -> None:
        """Where a cursor came to stand; within a batch the last place counts."""
        self.new_steps[(step.thread_id, step.user_id, step.kind)] = step

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
            for attachment_id in command.attachment_ids:
                keys.attachments[(command.thread_id, attachment_id)] = None
        else:
            _add_rare_keys(keys, command)
    return keys


def _add_rare_keys(keys: Keys, command: Command) -> None:
    if isinstance(command, ReviseMessage | RemoveMessage | SetReaction):
        keys.messages[split_message_id(command.message_id)] = None
    elif isinstance(command, CreateThread):
        for member in command.members:
            keys.members[(command.thread_id, member.user_id)] = None
    elif isinstance(command, AddMember):
        keys.members[(command.thread_id, command.member.user_id)] = None
        keys.owners[command.thread_id] = None
    elif isinstance(command, RemoveMember):
        keys.members[(command.thread_id, command.member_id)] = None
        keys.owners[command.thread_id] = None
    elif isinstance(command, RegisterAttachment):
        keys.attachments[(command.thread_id, command.attachment_id)] = None

"""Commands for tests of the ledger, in as few words as the case needs."""

from __future__ import annotations

import itertools
from typing import Any

from chatterbus_contracts.commands import (
    AddMember,
    ChangeOwnState,
    CreateThread,
    MarkUnread,
    MoveCursor,
    NewMember,
    RegisterAttachment,
    RemoveMember,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
    StoreMessage,
    UpdateThread,
)
from chatterbus_contracts.ids import AttachmentId, ThreadId, attachment_id
from chatterbus_contracts.states import Role

GATEWAY = "g1"
_numbers = itertools.count(1)


def _head(thread: str, user: str) -> dict[str, Any]:
    return {
        "id": f"cmd-{next(_numbers)}",
        "thread_id": thread,
        "user_id": user,
        "user_type": "user",
        "gateway": GATEWAY,
    }


def create(thread: str, user: str, *others: str, **fields: Any) -> CreateThread:
    """`others` become members; `readers=[...]` readers."""
    readers = fields.pop("readers", ())
    members = [NewMember(user_id=other) for other in others]
    members += [NewMember(user_id=other, role=Role.READER) for other in readers]
    return CreateThread(**_head(thread, user), members=fields.pop("members", members), **fields)


def send(thread: str, user: str, client_message_id: str, content: str = "hello", **fields: Any) -> StoreMessage:
    head = _head(thread, user) | fields
    return StoreMessage(**head, client_message_id=client_message_id, content=content)


def move(thread: str, user: str, read: int | None = None, delivered: int | None = None) -> MoveCursor:
    return MoveCursor(**_head(thread, user), read_seq=read, delivered_seq=delivered)


def add(thread: str, user: str, other: str, role: Role = Role.MEMBER) -> AddMember:
    return AddMember(**_head(thread, user), member=NewMember(user_id=other, role=role))


def remove(thread: str, user: str, other: str) -> RemoveMember:
    """`user` removes `other`, or leaves."""
    return RemoveMember(**_head(thread, user), member_id=other)


def update(thread: str, user: str, **fields: Any) -> UpdateThread:
    """Title, metadata, or both."""
    return UpdateThread(**_head(thread, user), fields=list(fields), **fields)


def own(thread: str, user: str, **fields: bool) -> ChangeOwnState:
    """archived, muted, show_receipts."""
    return ChangeOwnState(**_head(thread, user), **fields)


def mark(thread: str, user: str, seq: int) -> MarkUnread:
    return MarkUnread(**_head(thread, user), seq=seq)


def edit(thread: str, user: str, seq: int, content: str) -> ReviseMessage:
    return ReviseMessage(**_head(thread, user), message_id=f"{thread}~{seq}", content=content)


def delete(thread: str, user: str, seq: int) -> RemoveMessage:
    return RemoveMessage(**_head(thread, user), message_id=f"{thread}~{seq}")


def react(thread: str, user: str, seq: int, emoji: str = "👍", on: bool = True) -> SetReaction:
    return SetReaction(**_head(thread, user), message_id=f"{thread}~{seq}", emoji=emoji, on=on)


def file_id(thread: str, number: int) -> AttachmentId:
    return attachment_id(ThreadId(thread), f"{number:032x}")


def register(thread: str, user: str, number: int, **fields: Any) -> RegisterAttachment:
    """A file was uploaded."""
    known = {"name": f"file {number}.png", "content_type": "image/png", "size_bytes": 10 + number} | fields
    return RegisterAttachment(**_head(thread, user), attachment_id=file_id(thread, number), **known)

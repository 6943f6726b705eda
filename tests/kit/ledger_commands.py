"""Commands for tests of the ledger, in as few words as the case needs."""

from __future__ import annotations

import itertools
from typing import Any

from chatterbus_contracts.commands import AddMember, CreateThread, MoveCursor, NewMember, StoreMessage
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

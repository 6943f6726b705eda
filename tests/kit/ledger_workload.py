"""Random commands of every kind, such as clients might send them: many allowed, some not."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from chatterbus_contracts.commands import COMMANDS, Command, NewMember
from chatterbus_contracts.states import Role
from tests.kit.ledger_commands import (
    add,
    create,
    delete,
    edit,
    file_id,
    mark,
    move,
    own,
    react,
    register,
    remove,
    send,
    update,
)

USERS: Final = st.sampled_from(["ann", "ann", "bob", "bob", "cid"])
SEQS: Final = st.sampled_from([1, 1, 2, 2, 3, 3, 4, 5, 6])
FLAGS: Final = st.sampled_from([None, True, False])
TEXTS: Final = st.sampled_from(["one", "two", "three", "", " "])
EMOJI: Final = st.sampled_from(["👍", "🎉", "🏳️‍🌈"])
ROLES: Final = st.sampled_from([Role.MEMBER, Role.MEMBER, Role.OWNER, Role.READER])
FILES: Final = st.integers(1, 3)
IDS: Final = st.integers(1, 12).map("c{}".format)
WATCHER: Final = "zoe"
"""A member of every thread made by `beginning`, who does nothing and is never removed."""


def beginning(thread: str) -> list[Command]:
    """The thread with two owners, a member and the watcher, and something said."""
    return [
        create(thread, "ann", "cid", title="title", readers=[WATCHER]),
        add(thread, "ann", "bob", Role.OWNER),
        *(send(thread, user, f"b{number}", "first") for number, user in enumerate(("ann", "bob", "cid"))),
    ]


def _created(thread: str, user: str, others: dict[str, Role], opened: bool) -> Command:
    members = [NewMember(user_id=other, role=role) for other, role in others.items()]  # type: ignore[arg-type]
    return create(thread, user, members=members, open=opened)


def _updated(thread: str, user: str, title: str | None, metadata: object, names: str) -> Command:
    fields = {"title": title, "metadata": metadata}
    return update(thread, user, **{name: fields[name] for name in names.split()})


def _sent(thread: str, user: str, name: str, reply: int | None, files: list[int], named: list[str]) -> Command:
    target = None if reply is None else f"{thread}~{reply}"
    attached = [file_id(thread, number) for number in files]
    content = f"{user} says {name}"
    return send(thread, user, name, content, reply_to_id=target, attachment_ids=attached, mentions=named)


def _owned(thread: str, user: str, archived: bool | None, muted: bool | None, show: bool | None) -> Command:
    said = {"archived": archived, "muted": muted, "show_receipts": show}
    return own(thread, user, **{name: value for name, value in said.items() if value is not None})


def commands_of(thread: str) -> st.SearchStrategy[Command]:
    """Any command in the thread."""
    at = st.just(thread)
    cursors = st.none() | st.integers(0, 10)
    named = st.lists(st.sampled_from(["ann", "bob", "cid", WATCHER]), max_size=2)
    sent = st.builds(_sent, at, USERS, IDS, st.none() | SEQS, st.lists(FILES, max_size=1), named)
    kinds: dict[str, st.SearchStrategy[Command]] = {
        "thread.create": st.builds(_created, at, USERS, st.dictionaries(USERS, ROLES, max_size=2), st.booleans()),
        "thread.update": st.builds(
            _updated,
            at,
            USERS,
            st.sampled_from([None, "a", "b"]),
            st.sampled_from([None, {"k": 1}, {"k": True}]),
            st.sampled_from(["title", "metadata", "title metadata"]),
        ),
        "member.add": st.builds(add, at, USERS, USERS, ROLES),
        "member.remove": st.builds(remove, at, USERS, USERS),
        "message.send": sent,
        "message.edit": st.builds(edit, at, USERS, SEQS, TEXTS),
        "message.delete": st.builds(delete, at, USERS, SEQS),
        "reaction.set": st.builds(react, at, USERS, SEQS, EMOJI, st.booleans()),
        "attachment.register": st.builds(register, at, USERS, FILES),
        "cursor.move": st.builds(move, at, USERS, cursors, cursors),
        "own.mark_unread": st.builds(mark, at, USERS, SEQS),
        "own.change": st.builds(_owned, at, USERS, FLAGS, FLAGS, FLAGS),
    }
    assert kinds.keys() == COMMANDS.keys()
    return st.one_of(*kinds.values(), sent, sent, kinds["message.edit"], kinds["cursor.move"])

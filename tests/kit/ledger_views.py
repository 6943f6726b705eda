"""A thread as a client keeps it, built from frames alone, and the same as the store has it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from chatterbus_contracts.queries import AskChanges, AskHistory, AskSync, AskThread
from chatterbus_persister.frames import member_state, message_state, thread_state
from chatterbus_persister.reads.changes import changes, sync
from chatterbus_persister.reads.messages import history
from chatterbus_persister.reads.threads import thread
from tests.kit.ledger_fake import Tables

FACTS = ("title", "metadata", "createdBy", "createdAt")
CURSORS = ("deliveredSeq", "readSeq")


@dataclass
class View:
    """`apply` takes frames in rev order, and states of any age: they replace what is older."""

    rev: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)

    def apply(self, frame: dict[str, Any]) -> None:
        getattr(self, "_" + str(frame["type"]))(frame)

    def _message(self, frame: dict[str, Any]) -> None:
        self._message_updated(frame)
        data = frame["data"]
        self._moved(data["senderId"], data["seq"], data["seq"])  # a sender has read what he sends

    def _message_updated(self, frame: dict[str, Any]) -> None:
        self.messages[frame["data"]["seq"]] = frame["data"]

    _message_deleted = _message_updated

    def _thread_updated(self, frame: dict[str, Any]) -> None:
        self.facts = {name: frame["data"][name] for name in FACTS}

    def _member_added(self, frame: dict[str, Any]) -> None:
        self.take_member(frame["data"])

    def take_member(self, data: dict[str, Any]) -> None:
        known = self.members.get(data["userId"], {})
        self.members[data["userId"]] = _without_rev(data)
        self._moved(data["userId"], *(known.get(name, 0) for name in CURSORS))

    def _member_removed(self, frame: dict[str, Any]) -> None:
        self.members.pop(frame["data"]["userId"], None)

    def _read_receipt(self, frame: dict[str, Any]) -> None:
        self._moved(frame["userId"], frame["seq"], frame["seq"])

    def _delivered_receipt(self, frame: dict[str, Any]) -> None:
        self._moved(frame["userId"], frame["seq"], 0)

    def _moved(self, user: str, *cursors: int) -> None:
        if user in self.members:
            member = self.members[user]
            further = {name: max(member[name], seq) for name, seq in zip(CURSORS, cursors, strict=True)}
            self.members[user] = member | further

    def hear(self, frame: dict[str, Any]) -> bool:
        """A live event. False: events before it are missing, and it was not applied. Old ones change nothing."""
        if frame["rev"] > self.rev + 1:
            return False
        if frame["rev"] == self.rev + 1:
            self.apply(frame)
            self.rev += 1
        return True

    def state(self, *, cursors: bool = True) -> dict[str, Any]:
        """To be compared. Without `cursors`: as far as a large thread tells."""
        left_out = () if cursors else CURSORS
        members = {
            user: {name: value for name, value in member.items() if name not in left_out}
            for user, member in self.members.items()
        }
        return {"facts": self.facts, "members": members, "messages": self.messages}

    def copy(self) -> View:
        """States are replaced and never changed, so they may be shared."""
        return View(self.rev, self.facts, dict(self.members), dict(self.messages))


def _without_rev(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "rev"}


def stored_view(tables: Tables, thread_id: str) -> View:
    """As the tables have it."""
    row = next(row for key, row in tables.threads.items() if key == thread_id)
    members = [row for (thread, _), row in tables.members.items() if thread == thread_id and row.removed_at is None]
    state = thread_state(row, members)
    return _wire(
        View(
            row.last_rev,
            {name: state[name] for name in FACTS},
            {member["userId"]: _without_rev(member) for member in map(member_state, members)},
            {seq: message_state(row) for (thread, seq), row in tables.messages.items() if thread == thread_id},
        )
    )


def _wire(view: View) -> View:
    """As if it had come as text."""
    view.facts, view.members = json.loads(json.dumps([view.facts, view.members]))
    view.messages = {seq: json.loads(json.dumps(message)) for seq, message in view.messages.items()}
    return view


async def fetched_view(connection: Any, thread_id: str, user_id: str) -> View:
    """As a client fetches it that knows nothing: the thread, and its history in pages."""
    ids: dict[str, Any] = {"thread_id": thread_id, "user_id": user_id}
    state = await thread(connection, AskThread(**ids))
    view = View(state["rev"], {name: state[name] for name in FACTS})
    for member in state["members"]:
        view.take_member(member)
    cursor: str | None = "0"
    while cursor is not None:
        page = await history(connection, AskHistory(**ids, after_seq=int(cursor), limit=3))
        for message in page["items"]:
            view.messages[message["seq"]] = {name: value for name, value in message.items() if name != "replyTo"}
        cursor = page["nextCursor"]
    return _wire(view)


async def catch_up(connection: Any, thread_id: str, user_id: str, view: View, limit: int) -> None:
    """Pages of changes, until complete."""
    complete = False
    while not complete:
        ask = AskChanges(thread_id=thread_id, user_id=user_id, since_rev=view.rev, limit=limit)  # type: ignore[arg-type]
        page = await changes(connection, ask)
        _take_page(view, page, page["items"])
        complete = page["complete"]
        assert complete == (view.rev == page["rev"])


async def subscribe_again(connection: Any, thread_id: str, user_id: str, view: View, limit: int) -> None:
    """`subscribe {sinceRev}` until complete: the changes, and the members as they are."""
    result = "page"
    while result == "page":
        ask = AskSync(thread_id=thread_id, user_id=user_id, since_rev=view.rev, limit=limit)  # type: ignore[arg-type]
        answer = await sync(connection, ask)
        result = answer["result"]
        _take_page(view, answer, answer["changes"])
    assert (result, view.rev) == ("complete", answer["rev"])
    assert answer["lastSeq"] == len(view.messages)
    assert {member["userId"] for member in answer["members"]} == view.members.keys()
    for member in answer["members"]:
        view.take_member(member)


def _take_page(view: View, page: dict[str, Any], items: list[dict[str, Any]]) -> None:
    revs = [item["rev"] for item in items]
    assert revs == sorted(revs)
    assert all(view.rev < rev <= page["throughRev"] for rev in revs)
    assert page["throughRev"] > view.rev or page["throughRev"] == page["rev"], "no progress"
    for item in json.loads(json.dumps(items)):
        view.apply(item)
    view.rev = page["throughRev"]

"""A persister and store in a few lines: threads in memory, the contracts over a real NATS.

It applies commands as they come on the queue's subjects (the streams are there too, so that publishes are acked),
answers, announces, and answers `sync`, `revs`, `membership`, `sharing`, `contacts` and `info`; its attributes let a
test stop what it wants to see fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nats.js.api import DiscardPolicy, StreamConfig

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.commands import Command, CreateThread, MoveCursor, StoreMessage, decode_parcel
from chatterbus_contracts.envelopes import Answer, Event, answer_line, event_line, pack_lines
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.subjects import event_subject, gateway_subject, store_subject
from chatterbus_contracts.topology import command_streams
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

TIME = "2026-01-31T12:00:00.000Z"
PARTITIONS = 4


class Thread:
    def __init__(self, thread_id: str, members: set[str], open_: bool = False) -> None:
        self.id = thread_id
        self.members = members
        self.open = open_
        self.seq = 0
        self.changes: list[dict[str, Any]] = []
        self.sent: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def rev(self) -> int:
        return len(self.changes)


class Ledger:
    """Made by `Ledger.start`."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.threads: dict[str, Thread] = {}
        self.commands: list[Command] = []
        self.syncs = 0
        self.revs_asked: list[str] = []
        self.membership_asks: list[str] = []
        self.membership_failures = 0  # how many of the next ones say that the store is away
        self.announce = True
        self.answer = True
        self.page_size = 500
        self.before_sync_reply: Callable[[str], None] = lambda _thread: None
        self.epoch = "e1"
        self.parcels: Listener | None = None

    @classmethod
    async def start(cls, link: NatsLink) -> Ledger:
        ledger = cls(link)
        for spec in command_streams(PARTITIONS, max_bytes=8 << 20):
            await link.jetstream.add_stream(
                StreamConfig(
                    name=spec.name, subjects=list(spec.subjects), discard=DiscardPolicy.NEW, max_bytes=spec.max_bytes
                )
            )
        ledger.parcels = link.listen("chat.cmd.*.*", ledger.parcel_came)
        link.listen(store_subject("sync"), ledger.sync_asked)
        link.listen(store_subject("revs"), ledger.revs_were_asked)
        link.listen(store_subject("membership"), ledger.membership_asked)
        link.listen(store_subject("sharing"), ledger.sharing_asked)
        link.listen(store_subject("contacts"), ledger.contacts_asked)
        link.listen(store_subject("info"), ledger.info_asked)
        await link.flush(5)
        return ledger

    def thread(self, thread_id: str, *members: str) -> Thread:
        thread = self.threads.setdefault(thread_id, Thread(thread_id, set()))
        thread.members |= set(members)
        return thread

    # --- commands ---

    def parcel_came(self, message: Message) -> None:
        lines: dict[str, list[bytes]] = {}
        for command in decode_parcel(message.data):
            assert not isinstance(command, DecodeError)
            self.commands.append(command)
            frame, applied = self.apply(command)
            if command.gateway is not None:
                line = answer_line(Answer(command.id, applied, json.dumps(frame).encode()))
                lines.setdefault(command.gateway, []).append(line)
        if self.answer:
            for gateway, answers in lines.items():
                for envelope in pack_lines(answers):
                    self.link.publish(gateway_subject(gateway), envelope)

    def apply(self, command: Command) -> tuple[dict[str, Any], bool]:
        thread = self.threads.get(command.thread_id)
        if isinstance(command, CreateThread):
            if thread is None:
                thread = self.threads[command.thread_id] = Thread(command.thread_id, {command.user_id}, command.open)
            elif thread.open:
                thread.members.add(command.user_id)
            elif command.user_id not in thread.members:
                return refused("FORBIDDEN", command), False
            return {"type": "ack", "threadId": thread.id}, True
        if thread is None or command.user_id not in thread.members:
            return refused("THREAD_NOT_FOUND", command), False
        if isinstance(command, StoreMessage):
            return self.store(thread, command), True
        if isinstance(command, MoveCursor) and command.read_seq is not None:
            self.change(
                thread.id,
                "read_receipt",
                {
                    "userId": command.user_id,
                    "messageId": f"{thread.id}~{command.read_seq}",
                    "seq": command.read_seq,
                    "at": TIME,
                },
            )
        return {"type": "ack"}, True

    def store(self, thread: Thread, command: StoreMessage) -> dict[str, Any]:
        key = (command.user_id, command.client_message_id)
        if key not in thread.sent:
            thread.seq += 1
            data = {
                "id": f"{thread.id}~{thread.seq}",
                "threadId": thread.id,
                "seq": thread.seq,
                "rev": thread.rev + 1,
                "senderId": command.user_id,
                "senderType": command.user_type,
                "clientMessageId": command.client_message_id,
                "content": command.content,
                "messageType": command.message_type.value,
                "edited": False,
                "editedAt": None,
                "deleted": False,
                "deletedAt": None,
                "replyToId": command.reply_to_id,
                "createdAt": TIME,
                "updatedAt": TIME,
                "attachments": [],
                "mentions": list(command.mentions),
                "metadata": command.metadata,
            }
            self.change(thread.id, "message", {"data": data})
            thread.sent[key] = {
                "type": "message_ack",
                "clientMessageId": command.client_message_id,
                "threadId": thread.id,
                "status": "sent",
                "serverMessageId": data["id"],
                "seq": thread.seq,
                "rev": thread.rev,
                "createdAt": TIME,
            }
        return thread.sent[key]

    def change(self, thread_id: str, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Commit a change and announce it."""
        thread = self.threads[thread_id]
        frame = {"type": kind, "threadId": thread_id, "rev": thread.rev + 1, **fields}
        thread.changes.append(frame)
        if self.announce:
            self.publish_event(frame)
        return frame

    def publish_event(self, *frames: dict[str, Any]) -> None:
        lines = [event_line(Event(frame["type"], frame["rev"], json.dumps(frame).encode())) for frame in frames]
        self.link.publish(event_subject(ThreadId(frames[0]["threadId"])), b"\n".join(lines))

    def say(self, thread_id: str, content: str) -> dict[str, Any]:
        """A message of nobody in particular."""
        thread = self.threads[thread_id]
        thread.seq += 1
        return self.change(
            thread_id,
            "message",
            {"data": {"id": f"{thread_id}~{thread.seq}", "seq": thread.seq, "content": content, "metadata": None}},
        )

    def remove(self, thread_id: str, user_id: str) -> None:
        self.threads[thread_id].members.discard(user_id)
        self.change(thread_id, "member_removed", {"data": {**member(user_id), "rev": self.threads[thread_id].rev + 1}})

    # --- queries ---

    def info_asked(self, message: Message) -> None:
        self.link.publish(message.reply, json.dumps({"epoch": self.epoch, "partitions": PARTITIONS}).encode())

    def revs_were_asked(self, message: Message) -> None:
        asked = json.loads(message.data)["threadIds"]
        self.revs_asked += asked
        items = [[thread_id, self.threads[thread_id].rev] for thread_id in asked if thread_id in self.threads]
        self.link.publish(message.reply, json.dumps({"items": items}).encode())

    def membership_asked(self, message: Message) -> None:
        question = json.loads(message.data)
        user_id = question["userId"]
        self.membership_asks.append(user_id)
        if self.membership_failures:
            self.membership_failures -= 1
            self.refuse(message, "STORE_UNAVAILABLE")
        elif user_id in self.threads[question["threadId"]].members:
            self.link.publish(message.reply, json.dumps(member(user_id)).encode())
        else:
            self.refuse(message, "NOT_A_MEMBER")

    def sharing_asked(self, message: Message) -> None:
        question = json.loads(message.data)
        contacts = self.contacts(question["userId"])
        found = [user_id for user_id in question["others"] if user_id in contacts]
        self.link.publish(message.reply, json.dumps({"userIds": found}).encode())

    def contacts_asked(self, message: Message) -> None:
        found = self.contacts(json.loads(message.data)["userId"])
        self.link.publish(message.reply, json.dumps({"userIds": sorted(found), "nextCursor": None}).encode())

    def contacts(self, user_id: str) -> set[str]:
        together = (thread.members for thread in self.threads.values() if user_id in thread.members)
        return set[str]().union(*together) - {user_id}

    def refuse(self, message: Message, code: str) -> None:
        headers = {"Nats-Service-Error-Code": code, "Nats-Service-Error": "refused"}
        self.link.publish(message.reply, b"", headers=headers)

    def sync_asked(self, message: Message) -> None:
        self.syncs += 1
        question = json.loads(message.data)
        thread = self.threads.get(question["threadId"])
        if thread is None or question["userId"] not in thread.members:
            headers = {"Nats-Service-Error-Code": "THREAD_NOT_FOUND", "Nats-Service-Error": "no such thread"}
            self.link.publish(message.reply, b"", headers=headers)
            return
        since = question.get("sinceRev")
        changes = [] if since is None else thread.changes[since:]
        page = changes[: self.page_size]
        reply = {
            "threadId": thread.id,
            "rev": thread.rev,
            "throughRev": page[-1]["rev"] if page else thread.rev,
            "lastSeq": thread.seq,
            "members": [member(user) for user in sorted(thread.members)],
            "result": "complete" if len(page) == len(changes) else "page",
            "reason": None,
            "changes": page,
        }
        self.before_sync_reply(thread.id)
        self.link.publish(message.reply, json.dumps(reply).encode())


def member(user_id: str) -> dict[str, Any]:
    return {
        "userId": user_id,
        "userType": "user",
        "role": "member",
        "deliveredSeq": 0,
        "readSeq": 0,
        "joinedAt": TIME,
        "rev": 1,
    }


def refused(code: str, command: Command) -> dict[str, Any]:
    frame = {"type": "error", "code": code, "message": "refused", "retryable": False, "fate": "rejected"}
    if isinstance(command, StoreMessage):
        frame["clientMessageId"] = command.client_message_id
    return frame

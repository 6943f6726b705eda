"""What stands around the producers of webhooks: a store and gateways that answer by script, and the streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter

from chatterbus_contracts.codec import Wire, decode, encode, encode_json, parse_json
from chatterbus_contracts.envelopes import Event, event_line
from chatterbus_contracts.ids import GatewayId, ThreadId, UserId, message_id
from chatterbus_contracts.presence import AskAttending, Attending
from chatterbus_contracts.queries import AskMissed, Missed, MissedMember
from chatterbus_contracts.states import MessagePreview, MessageType
from chatterbus_contracts.subjects import ask_gateway_subject, event_subject, store_subject
from chatterbus_contracts.topology import events_stream, hook_streams
from chatterbus_contracts.webhooks import HookEvent, decode_hook
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_reader import StreamReader
from chatterbus_runtime.streams import ensure_stream

STREAM_BYTES: Final = 16 << 20
AT: Final = "2026-01-31T12:00:00.000Z"
ASK_MISSED: Final = TypeAdapter(AskMissed)
ASK_ATTENDING: Final = TypeAdapter(AskAttending)
HOOK_URL: Final = "https://product.example/hooks"
HOOK_SECRET: Final = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cy0yNC1ieXRlcw=="


def hook_settings(nats_url: str, **settings: Any) -> NotifierSettings:
    """Webhooks are wanted, and people miss messages after a moment."""
    wanted: dict[str, Any] = {
        "notifier_webhook_url": HOOK_URL,
        "notifier_webhook_secret": HOOK_SECRET,
        "notifier_webhook_events": "message.missed,message.created",
        "notifier_missed_after_s": 0.3,
        "notifier_missed_interval_s": 60,
        "notifier_store_timeout_s": 1,
        **settings,
    }
    return NotifierSettings.model_validate({"nats_url": nats_url, **wanted})


async def make_streams(link: NatsLink) -> None:
    for spec in (events_stream(STREAM_BYTES), *hook_streams(STREAM_BYTES)):
        await ensure_stream(link.jetstream, spec, 1)


@dataclass
class Member:
    user_id: UserId
    unread_since: list[tuple[int, float]] = field(default_factory=list)  # (seq, when), oldest first
    muted: bool = False


class World:
    """Threads, their messages, and the store's and the gateways' view of them."""

    def __init__(self, link: NatsLink, gateways: Sequence[str] = ("gw-1",), page: int = 500) -> None:
        self.link = link
        self.page = page
        self.gateways = [GatewayId(name) for name in gateways]
        self.members: dict[ThreadId, dict[UserId, Member]] = {}
        self.last_seq: dict[ThreadId, int] = {}
        self.attending: set[tuple[GatewayId, ThreadId, UserId]] = set()
        self.questions: list[AskMissed] = []
        self.attending_asked = 0
        self.hooks: list[HookEvent] = []
        self._store: Listener | None = None
        self._reader = StreamReader(link, "WEBHOOKS", self._hook, lambda: True, lambda: None)

    async def start(self) -> None:
        await make_streams(self.link)
        self.open_store()
        for gateway_id in self.gateways:
            self.link.listen(ask_gateway_subject(gateway_id, "attending"), self._attending)
        await self._reader.start(1)
        await self.link.flush(5)

    def open_store(self) -> None:
        self._store = self.link.listen(store_subject("missed"), self._missed)

    def close_store(self) -> None:
        assert self._store is not None
        self._store.close()

    # --- what happens ------------------------------------------------------------------------------------------------

    def thread(self, name: str, *users: str) -> ThreadId:
        thread_id = ThreadId(name)
        self.members[thread_id] = {UserId(user): Member(UserId(user)) for user in sorted(users)}
        self.last_seq[thread_id] = 0
        return thread_id

    async def say(self, thread_id: ThreadId, sender: str = "alice", count: int = 1) -> list[bytes]:
        """Messages as the persister announces them, in one envelope: their frames."""
        frames = []
        for _ in range(count):
            self.last_seq[thread_id] += 1
            seq = self.last_seq[thread_id]
            for member in self.members[thread_id].values():
                if member.user_id != sender:
                    member.unread_since.append((seq, time.monotonic()))
            frames.append(message_frame(thread_id, seq, sender))
        await self.announce(
            thread_id, *(event_line(Event("message", seq, frame)) for seq, frame in enumerate(frames, 1))
        )
        return frames

    async def announce(self, thread_id: ThreadId, *lines: bytes) -> None:
        await self.link.jetstream.publish(event_subject(thread_id), b"\n".join(lines))

    def read(self, thread_id: ThreadId, user: str) -> None:
        self.members[thread_id][UserId(user)].unread_since.clear()

    def mute(self, thread_id: ThreadId, user: str) -> None:
        self.members[thread_id][UserId(user)].muted = True

    def attend(self, thread_id: ThreadId, user: str, gateway: str = "gw-1") -> None:
        self.attending.add((GatewayId(gateway), thread_id, UserId(user)))

    # --- what is seen ------------------------------------------------------------------------------------------------

    def missed(self) -> list[dict[str, Any]]:
        """The data of the missed events so far."""
        return [parse_json(hook.body)["data"] for hook in self.hooks if hook.type == "message.missed"]

    def told(self) -> list[tuple[str, int, int]]:
        """(user, unread, last seq) of them."""
        return [(data["userId"], data["unread"], data["lastSeq"]) for data in self.missed()]

    def created(self) -> list[str]:
        """Message ids of the created events so far."""
        return [parse_json(hook.body)["data"]["message"]["id"] for hook in self.hooks if hook.type == "message.created"]

    # --- who answers -------------------------------------------------------------------------------------------------

    def _hook(self, _: int, message: Message) -> None:
        self.hooks.append(decode_hook(message.data))

    def _missed(self, message: Message) -> None:
        question = decode(ASK_MISSED, message.data)
        self.questions.append(question)
        self._reply(message, self._answer(question))

    def _answer(self, question: AskMissed) -> Missed:
        now_s = time.monotonic()
        unread = [
            (member, now_s - member.unread_since[0][1])
            for member in self.members.get(question.thread_id, {}).values()
            if member.unread_since and not member.muted
        ]
        found = [
            MissedMember(
                user_id=member.user_id,
                user_type="client",
                unread=len(member.unread_since),
                mentions=0,
                first_unread_seq=member.unread_since[0][0],
                unread_for_s=age_s,
            )
            for member, age_s in unread
            if age_s >= question.unread_for_s and (question.after is None or member.user_id > question.after)
        ]
        later = [question.unread_for_s - age_s for _, age_s in unread if age_s < question.unread_for_s]
        last_seq = self.last_seq.get(question.thread_id, 0)
        return Missed(
            title="A thread",
            last_seq=last_seq,
            last_message=preview(question.thread_id, last_seq) if last_seq else None,
            items=found[: self.page],
            next_due_s=min(later, default=None),
            next_cursor=found[self.page - 1].user_id if len(found) > self.page else None,
        )

    def _attending(self, message: Message) -> None:
        self.attending_asked += 1
        question = decode(ASK_ATTENDING, message.data)
        gateway = GatewayId(message.subject.split(".")[2])
        there = [user for user in question.user_ids if (gateway, question.thread_id, user) in self.attending]
        self._reply(message, Attending(user_ids=there))

    def _reply(self, message: Message, answer: Wire) -> None:
        self.link.publish(message.reply, encode(answer))


def preview(thread_id: ThreadId, seq: int) -> MessagePreview:
    return MessagePreview(
        id=message_id(thread_id, seq),
        seq=seq,
        sender_id=UserId("alice"),
        sender_type="client",
        message_type=MessageType.TEXT,
        content="hello",
        attachments=0,
        deleted=False,
        created_at=AT,
    )


def message_frame(thread_id: ThreadId, seq: int, sender: str = "alice") -> bytes:
    data = {"id": f"{thread_id}~{seq}", "threadId": thread_id, "seq": seq, "senderId": sender, "createdAt": AT}
    return encode_json({"type": "message", "threadId": thread_id, "rev": seq, "data": data})


class Running:
    """A desk at work; `stop` is as a kill, for it: nothing more is done."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self._task = asyncio.create_task(desk.run())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()

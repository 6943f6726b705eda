"""A notifier in a few lines: it says of users what the test says, over a real NATS, as two shards."""

from __future__ import annotations

import json

from chatterbus_contracts.codec import encode
from chatterbus_contracts.envelopes import EVERYWHERE, Event, Notice, event_line, notice_line
from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import (
    CONNECTIONS_CHANGED,
    ConnectedDevice,
    OnlineAnswer,
    PresenceAnswer,
    VersionedPresence,
)
from chatterbus_contracts.states import PresenceState, Status
from chatterbus_contracts.subjects import (
    ASK_ONLINE,
    ASK_PRESENCE,
    ask_hooks_subject,
    choose_presence_subject,
    connections_subjects,
    presence_subject,
    slot_of,
    user_subject,
)
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

SHARDS = 2
SLOTS = 64


class Notifier:
    """Made by `Notifier.start`."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.states: dict[str, tuple[Status, int]] = {}
        self.here: list[ConnectedDevice] = []
        self.asked: list[str] = []
        self.chosen: list[tuple[str, str]] = []
        self.answering_shards = {0, 1}
        self.listeners: list[Listener] = []

    @classmethod
    async def start(cls, link: NatsLink) -> Notifier:
        notifier = cls(link)
        listen = notifier.listeners.append
        listen(link.listen(ASK_PRESENCE, notifier.presence_asked))
        listen(link.listen(ASK_ONLINE, notifier.online_asked))
        listen(link.listen(ask_hooks_subject("deliveries"), notifier.deliveries_asked))
        for slot in range(SLOTS):
            listen(link.listen(choose_presence_subject(slot), notifier.choice_came))
            listen(link.listen(connections_subjects(slot), notifier.connections_changed))
        await link.flush(5)
        return notifier

    def change(self, user_id: str, status: Status, version: int, *, told: bool = True) -> None:
        """The user is seen like this from now on; with `told` false, the message is lost."""
        self.states[user_id] = (status, version)
        if told:
            frame = encode(PresenceNotice(user_id=UserId(user_id), status=status, last_seen_at=None, version=version))
            self.link.publish(presence_subject(UserId(user_id)), event_line(Event("presence", version, frame)))

    def tell(self, user_id: str, frame: dict[str, object], target: str = EVERYWHERE) -> None:
        """A frame for the user's own connections."""
        line = notice_line(Notice(target, str(frame["type"]), json.dumps(frame).encode()))
        self.link.publish(user_subject(UserId(user_id)), line)

    def _state(self, user_id: str) -> VersionedPresence:
        status, version = self.states.get(user_id, ("offline", 0))
        assert status != "invisible"
        return VersionedPresence(user_id=UserId(user_id), status=status, last_seen_at=None, version=version)

    def presence_asked(self, message: Message) -> None:
        asked = json.loads(message.data)["userIds"]
        self.asked += asked
        for shard in self.answering_shards:
            mine = [self._state(user_id) for user_id in asked if slot_of(user_id) % SHARDS == shard]
            self.link.publish(message.reply, encode(PresenceAnswer(shard=shard, shards=SHARDS, items=mine)))

    def online_asked(self, message: Message) -> None:
        question = json.loads(message.data)
        after, limit = question.get("after") or "", question["limit"]
        for shard in self.answering_shards:
            mine = sorted(
                user_id
                for user_id, (status, _) in self.states.items()
                if status != "offline" and slot_of(user_id) % SHARDS == shard and user_id > after
            )
            items = [PresenceState(**self._state(user).model_dump(by_alias=False)) for user in mine[:limit]]
            answer = OnlineAnswer(shard=shard, shards=SHARDS, items=items, more=len(mine) > limit)
            self.link.publish(message.reply, encode(answer))

    def choice_came(self, message: Message) -> None:
        choice = json.loads(message.data)
        assert message.subject == choose_presence_subject(slot_of(choice["userId"]))
        self.chosen.append((choice["userId"], choice["status"]))
        self.tell(
            choice["userId"],
            {
                "type": "presence",
                "userId": choice["userId"],
                "status": choice["status"],
                "lastSeenAt": None,
                "version": 1,
            },
        )
        self.link.publish(message.reply, json.dumps({"status": choice["status"]}).encode())

    def deliveries_asked(self, message: Message) -> None:
        self.link.publish(message.reply, json.dumps({"items": [], "nextCursor": None}).encode())

    def connections_changed(self, message: Message) -> None:
        """A snapshot for each new connection, as soon as it is heard of."""
        for device in CONNECTIONS_CHANGED.validate_json(message.data).here:
            self.here.append(device)
            snapshot = {"type": "unread_snapshot", "items": [], "more": False, "totalUnread": 0, "version": 1}
            self.tell(device.user_id, snapshot, device.connection_id)

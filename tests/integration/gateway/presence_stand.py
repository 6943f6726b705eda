"""Who listens to a gateway's reports of its connections, as a notifier does."""

from __future__ import annotations

from chatterbus_contracts.codec import decode, encode
from chatterbus_contracts.ids import GatewayId, ThreadId, UserId
from chatterbus_contracts.presence import (
    CONNECTIONS_CHANGED,
    LEASE,
    AskAttending,
    AskConnections,
    Attending,
    Connections,
    Lease,
)
from chatterbus_contracts.subjects import USER_SLOTS, ask_gateway_subject, connections_subject, token
from chatterbus_gateway.presence.lease import BUCKET
from chatterbus_runtime.bucket import Bucket
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from tests.kit.connections_receiver import ConnectionsReceiver

WAIT_S = 5.0


class PresenceStand:
    """Hears all that one gateway tells, and every write to its lease. Made by `listen`."""

    def __init__(self, link: NatsLink, gateway_id: str) -> None:
        self.gateway_id = GatewayId(gateway_id)
        self.receiver = ConnectionsReceiver()
        self.leases: list[Lease | None] = []  # None: it was taken away
        self.bucket = Bucket(link, BUCKET, WAIT_S)
        self._link = link

    @classmethod
    async def listen(cls, link: NatsLink, gateway_id: str = "g1") -> PresenceStand:
        stand = cls(link, gateway_id)
        for slot in range(USER_SLOTS):
            link.listen(connections_subject(slot, stand.gateway_id), stand._changed)
        link.listen(f"$KV.{BUCKET.name}.{stand.key}", stand._lease_written)
        await link.flush(WAIT_S)
        return stand

    @property
    def key(self) -> str:
        return token(self.gateway_id)

    @property
    def states(self) -> dict[str, str]:
        return self.receiver.states

    async def lease(self) -> Lease | None:
        entry = await self.bucket.get(self.key)
        return None if entry is None else decode(LEASE, entry.value)

    async def ask_connections(self, *slots: int) -> Connections:
        return Connections.model_validate_json(await self.ask("connections", encode(AskConnections(slots=list(slots)))))

    async def ask_attending(self, thread_id: str, *user_ids: str) -> list[str]:
        ask = AskAttending(thread_id=ThreadId(thread_id), user_ids=[UserId(user_id) for user_id in user_ids])
        return list(Attending.model_validate_json(await self.ask("attending", encode(ask))).user_ids)

    async def ask(self, what: str, payload: bytes, timeout_s: float = WAIT_S) -> bytes:
        subject = ask_gateway_subject(self.gateway_id, what)  # type: ignore[arg-type] # a question nobody knows, too
        return (await self._link.request(subject, payload, timeout_s)).data

    def _changed(self, message: Message) -> None:
        self.receiver.apply(decode(CONNECTIONS_CHANGED, message.data))

    def _lease_written(self, message: Message) -> None:
        self.leases.append(decode(LEASE, message.data) if message.data else None)

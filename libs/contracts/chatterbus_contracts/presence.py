"""Who is connected where: what gateways tell the notifier, and what they ask each other.

Promises: everything is absolute and numbered. A gateway numbers the changes of each slot of users (subjects.slot_of)
1, 2, 3 ...; a change carries the number and how many connections the slot then has, so that a receiver sees what it
missed and asks for a snapshot. A lease repeats all numbers, so that the last change can not be missed for long.
`incarnation` grows with every process of a gateway id: what an older one says is void.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import GatewayIdField, ThreadIdField, UserIdField
from chatterbus_contracts.limits import PRESENCE_ASKED_MAX, PRESENCE_PAGE_MAX
from chatterbus_contracts.states import PresenceState, Status
from chatterbus_contracts.subjects import USER_SLOTS

LEASES_BUCKET: Final = "leases"
LEASES_MAX_BYTES: Final = 4 * 1024 * 1024  # 2,000 gateways; overflow: no lease is written, which the log says
LEASE_REFRESH_S: Final = 5.0
LEASE_TTL_S: Final = 15.0  # two refreshes may be lost

Slot = Annotated[int, Field(ge=0, lt=USER_SLOTS)]
Incarnation = Annotated[int, Field(ge=0, description="grows with every process of the gateway id")]
Version = Annotated[int, Field(ge=0, le=2**53 - 1)]


class ConnectedDevice(Wire):
    """A connection as it is now. `away`: no sign of its person for a while, or it said so."""

    connection_id: str
    user_id: UserIdField
    state: Literal["active", "away"]
    again: bool = Field(default=False, description="it may have missed what its user was told: tell it everything")


class DeviceLeft(Wire):
    """A connection that is gone. `moving`: its gateway sent it elsewhere, so it is about to come back."""

    connection_id: str
    user_id: UserIdField
    moving: bool = False


class ConnectionsChanged(Wire):
    """Change number `version` of a slot: who is there now (joined or changed), who left, how many there are then."""

    gateway_id: GatewayIdField
    incarnation: Incarnation
    slot: Slot
    version: Version
    count: int
    here: list[ConnectedDevice]
    left: list[DeviceLeft]


class Lease(Wire):
    """A gateway's proof of life, by [version, count] of every slot. Kept in LEASES_BUCKET under the gateway's token."""

    gateway_id: GatewayIdField
    incarnation: Incarnation
    draining: bool
    slots: list[tuple[int, int]]


class AskConnections(Wire):
    """To one gateway: who is connected, in these slots?"""

    slots: list[Slot]


class SlotConnections(Wire):
    """Everybody in a slot, and the number of the change that made it so."""

    slot: Slot
    version: Version
    connections: list[ConnectedDevice]


class Connections(Wire):
    """The answer to AskConnections."""

    gateway_id: GatewayIdField
    incarnation: Incarnation
    slots: list[SlotConnections]


class AskAttending(Wire):
    """To one gateway: which of these users look at this thread, on an active device?"""

    thread_id: ThreadIdField
    user_ids: list[UserIdField]


class Attending(Wire):
    """The answer to AskAttending."""

    user_ids: list[UserIdField]


class VersionedPresence(PresenceState):
    """A user's public presence; of two, the one with the higher version is the later."""

    version: Version


class AskPresence(Wire):
    """To all shards of the notifier: how are these users? Each answers for its own."""

    user_ids: Annotated[list[UserIdField], Field(max_length=PRESENCE_ASKED_MAX)]


class PresenceAnswer(Wire):
    """One shard's answer: every asked user of that shard, known or not (`offline`, never seen)."""

    shard: int
    shards: int
    items: list[VersionedPresence]


class PresenceReset(Wire):
    """Of a shard with a new leader, on PRESENCE_RESET: what was missed meanwhile is not told; ask again for all users
    of the shard that somebody watches."""

    shard: int
    shards: int


class AskOnline(Wire):
    """To all shards of the notifier: who is online or away or busy, by user id, behind `after`?"""

    after: UserIdField | None = None
    limit: Annotated[int, Field(ge=1, le=PRESENCE_PAGE_MAX)]


class OnlineAnswer(Wire):
    """One shard's answer, in the order of user ids; `more`: it was cut at the limit."""

    shard: int
    shards: int
    items: list[PresenceState]
    more: bool


class ChoosePresence(Wire):
    """To the shard that has the user: this is how the user wants to be seen, on all devices."""

    user_id: UserIdField
    status: Literal["online", "dnd", "invisible"]


class Chosen(Wire):
    """The answer to ChoosePresence: what the user's own devices are told."""

    status: Status


CONNECTIONS_CHANGED: Final = TypeAdapter(ConnectionsChanged)
LEASE: Final = TypeAdapter(Lease)

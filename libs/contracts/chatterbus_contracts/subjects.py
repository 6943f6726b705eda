"""NATS subjects: the only place where one is built or taken apart.

Promises: :func:`token` is injective and yields one non-empty token of ``A-Z a-z 0-9 _ - =``, so no id can widen, split
or forge a subject; each parser raises ValueError for what the builder beside it never builds. :func:`partition_of` is
stable across processes, machines and versions.
"""

import re
import zlib
from typing import Final, Literal

from chatterbus_contracts.ids import (
    GatewayId,
    ThreadId,
    UserId,
    parse_gateway_id,
    parse_thread_id,
    parse_user_id,
)

_PLAIN = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPE = re.compile(rb"[^A-Za-z0-9_-]")
_ESCAPED = re.compile(r"=([0-9A-F]{2})")

ALL: Final = "chat.>"
ALL_EVENTS: Final = "chat.evt.*"
ALL_OWN_STATES: Final = "chat.own.*"
ALL_HOOKS: Final = "chat.hook.*"
ALL_DELIVERIES: Final = "chat.hooklog.*"
ALL_DEAD_HOOKS: Final = "chat.hookdead.*"
ASK_PRESENCE: Final = "chat.presence.ask"  # every shard of the notifier answers
ASK_ONLINE: Final = "chat.presence.online"  # every shard of the notifier answers
PRESENCE_RESET: Final = "chat.presence.reset"  # a shard has a new leader: ask again for all of its users
USER_SLOTS: Final = 64  # fixed for ever: the most shards a notifier can have


def token(text: str) -> str:
    """`text` as one subject token: bytes of its UTF-8 outside A-Z a-z 0-9 _ - become ``=XX``."""
    if _PLAIN.match(text):
        return text
    if not text:
        raise ValueError("an empty text is no token")
    return _ESCAPE.sub(lambda found: b"=%02X" % found[0][0], text.encode()).decode()


def untoken(encoded: str) -> str:
    """The inverse of token."""
    if "=" not in encoded:
        return encoded
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), encoded).encode("latin-1").decode()


def partition_of(thread_id: ThreadId, partitions: int) -> int:
    """The partition of a thread, 0 <= p < partitions: CRC-32 of its id. Fixed for the life of the queue."""
    return zlib.crc32(thread_id.encode()) % partitions


def slot_of(key: str) -> int:
    """The slot of a user (or of a webhook's ordering key), 0 <= s < USER_SLOTS: CRC-32 of its id. A shard i of n has
    the slots s with s % n == i."""
    return zlib.crc32(key.encode()) % USER_SLOTS


def command_stream(partition: int) -> str:
    """Name of the stream that holds a partition's commands."""
    return f"CMD_{partition}"


def command_subject(partition: int, gateway_id: GatewayId) -> str:
    """Where a gateway publishes parcels for a partition."""
    return f"chat.cmd.{partition}.{token(gateway_id)}"


def command_subjects(partition: int) -> str:
    """All that the partition's stream takes in."""
    return f"chat.cmd.{partition}.*"


def event_subject(thread_id: ThreadId) -> str:
    """Where the events of a thread are announced."""
    return f"chat.evt.{token(thread_id)}"


def parse_event_subject(subject: str) -> ThreadId:
    """The thread of an event subject."""
    return parse_thread_id(_last(subject, "chat.evt."))


def typing_subject(thread_id: ThreadId) -> str:
    """Where typing notices of a thread pass between gateways."""
    return f"chat.typ.{token(thread_id)}"


def parse_typing_subject(subject: str) -> ThreadId:
    """The thread of a typing subject."""
    return parse_thread_id(_last(subject, "chat.typ."))


def gateway_subject(gateway_id: GatewayId) -> str:
    """Where the answers for a gateway's commands arrive."""
    return f"chat.gw.{token(gateway_id)}"


def parse_gateway_subject(subject: str) -> GatewayId:
    """The gateway of an answer subject."""
    return parse_gateway_id(_last(subject, "chat.gw."))


def user_subject(user_id: UserId) -> str:
    """Where frames for all connections of a user arrive."""
    return f"chat.user.{token(user_id)}"


def parse_user_subject(subject: str) -> UserId:
    """The user of a user subject."""
    return parse_user_id(_last(subject, "chat.user."))


def connections_subject(slot: int, gateway_id: GatewayId) -> str:
    """Where a gateway tells of a slot's connections."""
    return f"chat.conn.{slot}.{token(gateway_id)}"


def connections_subjects(slot: int) -> str:
    """What all gateways tell of a slot's connections."""
    return f"chat.conn.{slot}.*"


def ask_gateway_subject(gateway_id: GatewayId, what: Literal["connections", "attending"]) -> str:
    """Where a gateway answers AskConnections and AskAttending."""
    return f"chat.gwask.{token(gateway_id)}.{what}"


def presence_subject(user_id: UserId) -> str:
    """Where changes of a user's public presence are told, to the gateways where somebody watches."""
    return f"chat.pres.{token(user_id)}"


def parse_presence_subject(subject: str) -> UserId:
    """The user of a presence subject."""
    return parse_user_id(_last(subject, "chat.pres."))


def choose_presence_subject(slot: int) -> str:
    """Where ChoosePresence is answered for a slot's users."""
    return f"chat.presence.choose.{slot}"


def lead_subject(index: int, count: int) -> str:
    """Where the leader of a notifier's shard says that it lives."""
    return f"chat.lead.{index}.{count}"


def own_states_subject(partition: int) -> str:
    """Where a partition's own states are announced (own_states.py)."""
    return f"chat.own.{partition}"


def hook_subject(key: str) -> str:
    """Where an event for webhooks waits; those of one ordering key share it."""
    return hook_slot_subject(slot_of(key))


def hook_slot_subject(slot: int) -> str:
    """The same, by slot."""
    return f"chat.hook.{slot}"


def delivery_subject(outcome: str) -> str:
    """Where attempts of this outcome are logged."""
    return f"chat.hooklog.{outcome}"


def dead_hook_subject(key: str) -> str:
    """Where an event goes that could not be delivered."""
    return f"chat.hookdead.{slot_of(key)}"


def ask_hooks_subject(what: str) -> str:
    """Where the notifier answers questions about webhooks (webhooks.HOOK_ASKS)."""
    return f"chat.hooks.{what}"


STORE_SERVICE: Final = "store"


def store_subject(query: str) -> str:
    """Where a query of the store service is asked."""
    return f"chat.store.{query}"


def _last(subject: str, prefix: str) -> str:
    if not subject.startswith(prefix) or "." in subject[len(prefix) :]:
        raise ValueError(f"not a subject of {prefix}")
    encoded = subject[len(prefix) :]
    text = untoken(encoded)
    if token(text) != encoded:
        raise ValueError("not a token of ours")
    return text

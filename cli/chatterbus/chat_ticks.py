"""How far a message of one's own has come. Pure."""

from collections.abc import Mapping
from enum import IntEnum

from chatterbus_client import MemberState


class Tick(IntEnum):
    """Stored; arrived at every other member; read by every other member, as far as they show it."""

    SENT = 1
    DELIVERED = 2
    READ = 3


def tick_of(seq: int, me: str, members: Mapping[str, MemberState]) -> Tick:
    """How far message `seq` of `me` has come. Alone in a thread it stays SENT."""
    others = [member for user, member in members.items() if user != me]
    if not others:
        return Tick.SENT
    if all(member.read_seq >= seq for member in others):
        return Tick.READ
    return Tick.DELIVERED if all(member.delivered_seq >= seq for member in others) else Tick.SENT

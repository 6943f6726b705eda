"""Who should hold which partitions, decided by every instance for itself from what PostgreSQL's locks show.

Pure. Promises: when all instances see the same holders, their plans agree: each aims at its fair share (the first
ones one more where it does not divide), those who hold most keep most, and nobody takes what another still holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What this instance does now: take free partitions, release surplus ones."""

    take: tuple[int, ...]
    release: tuple[int, ...]


def fair_share(me: int, holders: Mapping[int, frozenset[int]], partitions: int) -> Plan:
    """The plan of instance `me`. `holders` maps every live instance, `me` too, to the partitions it holds."""
    ranked = sorted(holders, key=lambda instance: (-len(holders[instance]), instance))
    share, remainder = divmod(partitions, len(ranked))
    target = share + (ranked.index(me) < remainder)
    mine = sorted(holders[me])
    if len(mine) > target:
        return Plan(take=(), release=tuple(mine[target:]))
    held = frozenset[int]().union(*holders.values())
    free = [partition for partition in range(partitions) if partition not in held]
    return Plan(take=tuple(free[: target - len(mine)]), release=())

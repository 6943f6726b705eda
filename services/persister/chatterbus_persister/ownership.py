"""Who should hold which partitions, decided by every instance for itself from what PostgreSQL's locks show.

Pure. Promises: when all instances see the same holders, their plans agree: each aims at its fair share (the first
ones one more where it does not divide), those who hold most keep most, nobody takes what another still holds, and no
two take the same.
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
    targets = {instance: share + (rank < remainder) for rank, instance in enumerate(ranked)}
    target = targets[me]
    mine = sorted(holders[me])
    if len(mine) > target:
        return Plan(take=(), release=tuple(mine[target:]))
    held = frozenset[int]().union(*holders.values())
    free = [partition for partition in range(partitions) if partition not in held]
    # In the order of rank, each its own: two that start together must not both reach for the first, and leave the last.
    before_me = ranked[: ranked.index(me)]
    skipped = sum(max(0, targets[instance] - len(holders[instance])) for instance in before_me)
    return Plan(take=tuple(free[skipped : skipped + target - len(mine)]), release=())

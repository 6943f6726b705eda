"""Which users a notifier answers for. Pure.

Promises: the slot of a user is the same everywhere and for ever (contracts.subjects.slot_of); of the shards i/n each
slot belongs to exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from chatterbus_contracts.subjects import USER_SLOTS, slot_of


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` (0, 1, ...) of `count`."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= USER_SLOTS or not 0 <= self.index < self.count:
            raise ValueError(f"a shard is i/n with 0 <= i < n <= {USER_SLOTS}, such as 0/1")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that `i/n` means, or ValueError."""
        index, _, count = text.partition("/")
        if not (index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
            raise ValueError("a shard is written i/n, such as 0/1")
        return cls(int(index), int(count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def slots(self) -> tuple[int, ...]:
        """All slots of this shard."""
        return tuple(range(self.index, USER_SLOTS, self.count))

    def owns(self, key: str) -> bool:
        """Whether this user, thread or ordering key is this shard's."""
        return slot_of(key) % self.count == self.index

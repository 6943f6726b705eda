"""Whether what one sender sent to one thread was stored, answered and delivered once and in order. Pure.

Says nothing of different senders among each other: any order between them is right.
"""

from collections.abc import Iterable, Mapping


class OrderChecker:
    """Takes the numbers of a sender's messages (0, 1, 2 ... in the order of sending) as they come back."""

    def __init__(self) -> None:
        self._positions: dict[int, int] = {}
        self._seen: set[int] = set()
        self._newest_seen = -1
        self.answered_twice = 0
        self.seen_twice = 0
        self.seen_out_of_order = 0

    def answered(self, number: int, position: int) -> None:
        """The ack of a message; `position` is where history has it (seq, or the row's id)."""
        self.answered_twice += number in self._positions
        self._positions[number] = position

    def seen(self, number: int) -> None:
        """A follower of the thread got the message."""
        self.seen_twice += number in self._seen
        self._seen.add(number)
        self.seen_out_of_order += number < self._newest_seen
        self._newest_seen = max(number, self._newest_seen)

    @property
    def unseen(self) -> int:
        """Answered messages that the follower never got."""
        return len(self._positions.keys() - self._seen)

    @property
    def same_position(self) -> int:
        return len(self._positions) - len(set(self._positions.values()))

    @property
    def stored_out_of_order(self) -> int:
        """Messages that history has before one that was sent earlier."""
        return inversions(position for _, position in sorted(self._positions.items()))

    def figures(self) -> dict[str, int]:
        return {
            "doubled": self.answered_twice + self.seen_twice + self.same_position,
            "out_of_order": max(self.stored_out_of_order, self.seen_out_of_order),
            "stored_out_of_order": self.stored_out_of_order,
            "seen_out_of_order": self.seen_out_of_order,
            "unseen": self.unseen,
        }


def inversions(positions: Iterable[int]) -> int:
    """How many are smaller than one before them."""
    found = 0
    highest: int | None = None
    for position in positions:
        found += highest is not None and position < highest
        highest = position if highest is None else max(position, highest)
    return found


def together(checkers: Iterable[OrderChecker]) -> dict[str, int]:
    """The sums over all senders."""
    return added(checker.figures() for checker in checkers)


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Name by name."""
    sums: dict[str, int] = {}
    for each in counts:
        for name, value in each.items():
            sums[name] = sums.get(name, 0) + value
    return sums

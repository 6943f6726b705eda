"""Commands that wait for their answer. Pure: time is a parameter.

Promises: every added command leaves exactly once, by `settle`, `refuse` or `expired`; before that at most one notice
that it is queued, only after the queue has it, and not before `notice_after_s`. Bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

PENDING_MAX: Final = 20_000  # of one gateway: some seconds of its full load
ANSWER_TIMEOUT_S: Final = 30.0  # a persister's partition is taken over within seconds; longer is an outage
NOTICE_AFTER_S: Final = 0.25
AFTER_RETURN_S: Final = 5.0  # once NATS is back: answers that were not lost with it come until then

Sink = Callable[[Any], None]


class PendingCommand:
    """One command in flight."""

    __slots__ = ("command_id", "deadline_s", "sink", "submitted_s")

    def __init__(self, command_id: str, sink: Sink, submitted_s: float, deadline_s: float) -> None:
        self.command_id = command_id
        self.sink = sink
        self.submitted_s = submitted_s
        self.deadline_s = deadline_s


class PendingCommands:
    """The table commandId -> who waits."""

    __slots__ = ("_answer_timeout_s", "_commands", "_max", "_notice_after_s", "_notices")

    def __init__(
        self,
        pending_max: int = PENDING_MAX,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        notice_after_s: float = NOTICE_AFTER_S,
    ) -> None:
        self._max = pending_max
        self._answer_timeout_s = answer_timeout_s
        self._notice_after_s = notice_after_s
        self._commands: dict[str, PendingCommand] = {}  # in order of their deadlines, which is that of submission
        # Queued, and not yet said so: when, and the ids of a parcel. Ids, so that what is settled is freed at once.
        self._notices: deque[tuple[float, Sequence[str]]] = deque()  # about in order of submission

    def __len__(self) -> int:
        return len(self._commands)

    @property
    def full(self) -> bool:
        """No room for another."""
        return len(self._commands) >= self._max

    def add(self, command_id: str, sink: Sink, now_s: float) -> None:
        """The caller has checked `full`."""
        self._commands[command_id] = PendingCommand(command_id, sink, now_s, now_s + self._answer_timeout_s)

    def settle(self, command_id: str) -> Sink | None:
        """Who waited for this final answer; None when nobody does any more."""
        command = self._commands.pop(command_id, None)
        return None if command is None else command.sink

    def queued(self, command_ids: Sequence[str]) -> None:
        """The queue has these, which were submitted together. The caller leaves the list as it is."""
        for command_id in command_ids:
            command = self._commands.get(command_id)
            if command is not None:
                self._notices.append((command.submitted_s, command_ids))
                return

    def due_notices(self, now_s: float) -> list[PendingCommand]:
        """Those to be told that they are queued."""
        due: list[PendingCommand] = []
        notices, commands = self._notices, self._commands
        if not commands:
            notices.clear()
        while notices and notices[0][0] + self._notice_after_s <= now_s:
            due += [commands[command_id] for command_id in notices.popleft()[1] if command_id in commands]
        return due

    def hasten(self, deadline_s: float) -> None:
        """Who waits now waits no longer than until then."""
        for command in self._commands.values():
            command.deadline_s = min(command.deadline_s, deadline_s)  # keeps their order

    def expired(self, now_s: float) -> list[Sink]:
        """Those who have waited too long; they leave."""
        late: list[Sink] = []
        while self._commands:
            oldest = next(iter(self._commands.values()))
            if oldest.deadline_s > now_s:
                break
            del self._commands[oldest.command_id]
            late.append(oldest.sink)
        return late

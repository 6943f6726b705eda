"""What can become of a submitted command. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import Refusal


@dataclass(frozen=True, slots=True)
class Queued:
    """The command is safely in the queue, and not applied yet."""

    command_id: str


Outcome = Answer | Queued | Refusal

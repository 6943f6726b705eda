"""Webhooks: what a product's server is told, and how an event waits for its delivery.

Promises: an event's body is encoded once, when it happens, and delivered as these bytes, however often; events of one
`key` (a user, a thread) are delivered in order. `HOOK_BODIES` names every type of event with the model of its data.
The body follows Standard Webhooks: `{type, timestamp, data}`; the id travels in the header `webhook-id`.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from chatterbus_contracts.codec import DecodeError, Wire
from chatterbus_contracts.ids import ThreadIdField, UserIdField
from chatterbus_contracts.limits import DELIVERIES_PAGE_MAX
from chatterbus_contracts.states import MessagePreview, MessageState, Seq, Time
from chatterbus_contracts.text import Text

MISSED: Final = "message.missed"
CREATED: Final = "message.created"
HookType = Literal["message.missed", "message.created"]


class MissedMessages(Wire):
    """message.missed: what a user has not read in a thread for a while, with no active device there."""

    user_id: UserIdField
    user_type: str
    thread_id: ThreadIdField
    thread_title: str | None
    unread: int = Field(ge=1, description="messages behind the user's read cursor")
    mentions: int = Field(ge=0, description="how many of them mention the user")
    first_unread_seq: Seq
    last_seq: Seq
    last_message: MessagePreview


class CreatedMessage(Wire):
    """message.created: a message was stored."""

    message: MessageState


class MissedBody(Wire):
    """The body of a message.missed webhook."""

    type: Literal["message.missed"] = "message.missed"
    timestamp: Time
    data: MissedMessages


class CreatedBody(Wire):
    """The body of a message.created webhook."""

    type: Literal["message.created"] = "message.created"
    timestamp: Time
    data: CreatedMessage


HOOK_BODIES: Final[dict[str, type[Wire]]] = {MISSED: MissedBody, CREATED: CreatedBody}


@dataclass(frozen=True, slots=True)
class HookEvent:
    """An event on its way: its id (the same at every delivery), type, ordering key and finished body."""

    id: str
    type: str
    key: str
    body: bytes


def encode_hook(event: HookEvent) -> bytes:
    """``<id> <type> <key>``, a line break, the body. None of the three holds white space."""
    return b"%s %s %s\n%s" % (event.id.encode(), event.type.encode(), event.key.encode(), event.body)


def decode_hook(data: bytes) -> HookEvent:
    """The inverse, or DecodeError."""
    try:
        head, body = data.split(b"\n", 1)
        event_id, kind, key = head.decode().split(" ")
    except ValueError:
        raise DecodeError("malformed webhook event") from None
    return HookEvent(event_id, kind, key, body)


class DeliveryAttempt(Wire):
    """One attempt to deliver an event, as the delivery log keeps it. `place` is its own number in the log."""

    place: int = Field(default=0, description="its number in the log, to page by")
    id: str = Field(description="of the event; the header webhook-id")
    type: str
    key: str = Field(description="deliveries of one key are in order")
    attempt: int = Field(ge=1)
    at: Time
    duration_ms: int
    outcome: Literal["delivered", "retrying", "dead"]
    status: int | None = Field(description="of the response; null: there was none")
    error: str | None = Field(description="why it failed; never the response's text")
    next_attempt_at: Time | None


class AskDeliveries(Wire):
    """Attempts, newest first, behind place `before`."""

    outcome: Literal["delivered", "retrying", "dead"] | None = None
    before: Annotated[int, Field(ge=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=DELIVERIES_PAGE_MAX)] = 50


class DeliveriesPage(Wire):
    """Attempts and the place to go on from, None at the end."""

    items: list[DeliveryAttempt]
    next_cursor: str | None


class AskReplay(Wire):
    """Deliver again what happened from `since` on (until `until`), dead or delivered, with the same ids."""

    since: Text = Field(description="UTC, ISO 8601")
    until: Text | None = None
    type: HookType | None = None


class Replayed(Wire):
    """How many events wait for delivery again."""

    events: int


@dataclass(frozen=True, slots=True)
class HookAsk:
    """One question to the notifier's webhooks: the models of question and answer."""

    ask: type[Wire]
    answer: type[Wire]


HOOK_ASKS: Final[dict[str, HookAsk]] = {
    "deliveries": HookAsk(AskDeliveries, DeliveriesPage),
    "replay": HookAsk(AskReplay, Replayed),
}

"""One batch: what arrived for all partitions, applied in order, and what is to be said about it.

Pure. Promises: per partition, and so per thread, the queue's order is kept; a command that was applied before a crash
is only echoed; one that can not be decoded, or was found to be poison, becomes a dead letter in its place; a handler
that fails names its command. Announcements are grouped: one envelope per thread and per gateway, in rev order, and one
per partition for own states that changed without an event, each member's once, as the batch left it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from chatterbus_contracts.codec import DecodeError, encode, encode_json, parse_json
from chatterbus_contracts.commands import COMMAND, Command, StoreMessage, decode_parcel
from chatterbus_contracts.envelopes import Answer, Event, answer_line, event_line, pack_lines
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import GatewayId, ThreadId
from chatterbus_contracts.subjects import event_subject, gateway_subject, own_states_subject
from chatterbus_persister.frames import answer_of, event_of, own_state_change, refusal_answer
from chatterbus_persister.ledger.echoes import ECHOES
from chatterbus_persister.ledger.handlers import apply_command
from chatterbus_persister.ledger.outcome import Outcome
from chatterbus_persister.ledger.rows import MemberRow
from chatterbus_persister.ledger.working_set import Keys, MemberKey, WorkingSet, keys_of

UNLESS_STORED: Final = frozenset(
    {ErrorCode.FORBIDDEN, ErrorCode.REPLY_TARGET_NOT_FOUND, ErrorCode.ATTACHMENT_NOT_FOUND}
)


class Place(NamedTuple):
    """Where a command stood in the queue."""

    partition: int
    stream_seq: int
    position: int


class Item(NamedTuple):
    """A command, or why its bytes are none, with its place. `echo`: it was applied before."""

    place: Place
    command: Command | DecodeError
    payload: bytes
    echo: bool


@dataclass(frozen=True, slots=True)
class Dead:
    """A command given up. A decoded one has an outcome, which answers it."""

    place: Place
    reason: str
    payload: bytes
    decoded: bool


@dataclass(slots=True)
class Batch:
    """Items in order, and how far each partition's stream is covered by them."""

    items: list[Item] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)

    def add_message(self, partition: int, stream_seq: int, data: bytes, *, echo: bool) -> None:
        """All commands of one queue message."""
        try:
            commands: list[Command | DecodeError] = decode_parcel(data)
        except DecodeError as error:
            commands = [error]
        for position, command in enumerate(commands):
            self.items.append(Item(Place(partition, stream_seq, position), command, data, echo))
        if not echo:
            self.reached[partition] = stream_seq

    def echoed_commands(self) -> list[Command]:
        """Those that were applied before a crash."""
        return [item.command for item in self.items if item.echo and not isinstance(item.command, DecodeError)]

    def keys(self) -> Keys:
        """Everything that must be loaded for it."""
        return keys_of(item.command for item in self.items if not isinstance(item.command, DecodeError))


class CommandFailedError(Exception):
    """A handler failed where it should have refused: a fault of ours. The rows are worthless now."""

    def __init__(self, place: Place, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__} at {place}")
        self.place = place


@dataclass(slots=True)
class Result:
    """What came of a batch. `own`: by partition, the members whose own state is to be told."""

    outcomes: list[Outcome] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    own: dict[int, dict[MemberKey, MemberRow]] = field(default_factory=dict)


def apply_batch(rows: WorkingSet, batch: Batch, poison: Collection[Place], at: datetime) -> Result:
    """Apply the items to the rows in order. Raises CommandFailedError."""
    result = Result()
    for item in batch.items:
        command = item.command
        if isinstance(command, DecodeError):
            result.dead.append(Dead(item.place, command.message, _own_payload(item), decoded=False))
        elif item.place in poison:
            result.dead.append(Dead(item.place, "it could not be applied", encode(command), decoded=True))
            result.outcomes.append(Outcome(command, refusal=_given_up()))
        else:
            outcome = _applied(rows, item, command, at)
            if outcome is None:
                continue
            result.outcomes.append(outcome)
            if outcome.own is not None:
                key = (outcome.own.thread_id, outcome.own.user_id)
                result.own.setdefault(item.place.partition, {})[key] = outcome.own
    return result


def refuses_what_may_be_stored(result: Result) -> bool:
    """Whether a message was refused for a reason that does not count when it was stored before: a retry is answered
    with what is stored, whatever its sender may do now. Decides only where stored sends were not looked up."""
    return any(
        outcome.refusal is not None and outcome.refusal.code in UNLESS_STORED
        for outcome in result.outcomes
        if isinstance(outcome.command, StoreMessage)
    )


def _own_payload(item: Item) -> bytes:
    """The command alone, where its parcel can be taken apart."""
    try:
        return encode_json(parse_json(item.payload)[item.place.position])
    except (DecodeError, LookupError, TypeError):
        return item.payload


def _applied(rows: WorkingSet, item: Item, command: Command, at: datetime) -> Outcome | None:
    try:
        if item.echo:
            return ECHOES[type(command)](rows, command)
        return apply_command(rows, command, at)
    except Exception as error:
        raise CommandFailedError(item.place, error) from error


def _given_up() -> Refusal:
    return Refusal(ErrorCode.MESSAGE_PERSIST_FAILED, "this can not be stored")


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is published for a batch: (subject, payload) of events and own states, and of answers."""

    events: list[tuple[str, bytes]]
    answers: list[tuple[str, bytes]]


def announcement_of(result: Result) -> Announcement:
    """Everything to be said, in as few messages as possible."""
    events: dict[ThreadId, list[Event]] = {}
    answers: dict[GatewayId, list[Answer]] = {}
    for outcome in result.outcomes:
        command = outcome.command
        for event in outcome.events:
            events.setdefault(command.thread_id, []).append(event_of(event))
        if command.gateway is not None:
            answers.setdefault(command.gateway, []).append(answer_of(outcome))
    for dead in result.dead:
        if not dead.decoded:
            _answer_undecodable(dead, answers)
    return Announcement(
        [
            (event_subject(thread_id), envelope)
            for thread_id, told in events.items()
            for envelope in pack_lines([event_line(event) for event in _by_rev(told)])
        ]
        + [
            (own_states_subject(partition), envelope)
            for partition, members in result.own.items()
            for envelope in pack_lines(_own_lines(members.values()))
        ],
        [
            (gateway_subject(gateway_id), envelope)
            for gateway_id, told in answers.items()
            for envelope in pack_lines([answer_line(answer) for answer in told])
        ],
    )


def _own_lines(members: Iterable[MemberRow]) -> list[bytes]:
    # Who is no member any more has no unread messages, and the event of the removal says so.
    return [
        event_line(Event("own_state", 0, encode_json(own_state_change(member))))
        for member in members
        if member.removed_at is None
    ]


def _by_rev(events: list[Event]) -> list[Event]:
    # Applied events are in order already; echoes of several commands may overlap.
    return sorted(events, key=lambda event: event.rev)


def _answer_undecodable(dead: Dead, answers: dict[GatewayId, list[Answer]]) -> None:
    # Whoever sent it may still be told, if the parts that say who that was can be read.
    try:
        value = parse_json(dead.payload)
        probe = {"id": value["id"], "gateway": value["gateway"], "threadId": "x", "userId": "x", "userType": "x"}
        command = COMMAND.validate_python({**probe, "kind": "cursor.move"})
    except (ValueError, LookupError, TypeError):
        return
    if command.gateway is not None:
        answers.setdefault(command.gateway, []).append(refusal_answer(command.id, _given_up(), ref=None))

"""How the persister hands finished frames to gateways: a short header before each frame, one frame a line.

A gateway routes by the header and forwards the frame's bytes as they are, without decoding them.

Promises: JSON without indentation holds no raw line break, so a line is a frame. `encode` and `decode` are inverse.
An event line is ``<type> <rev> <frame>``; an answer line is ``<commandId> <1 applied, 0 refused> <frame>``; a notice
line, of the notifier for a user's connections, is ``<target> <type> <frame>``.
"""

from typing import Final, NamedTuple

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.ids import CommandId

ENVELOPE_MAX_BYTES: Final = 524_288
EVERYWHERE: Final = "*"


class Event(NamedTuple):
    """A fact about a thread: the type and rev of its frame, and the frame as clients receive it."""

    type: str
    rev: int
    frame: bytes


class Answer(NamedTuple):
    """The one final answer to a command: an ack or an error frame."""

    command_id: CommandId
    applied: bool
    frame: bytes


class Notice(NamedTuple):
    """A frame for the connections of a user: all of them (`EVERYWHERE`), or the one with the id in `target`."""

    target: str
    type: str
    frame: bytes


def event_line(event: Event) -> bytes:
    """An event as a line of an envelope."""
    return b"%s %d %s" % (event.type.encode(), event.rev, event.frame)


def answer_line(answer: Answer) -> bytes:
    """An answer as a line of an envelope."""
    return b"%s %d %s" % (answer.command_id.encode(), answer.applied, answer.frame)


def notice_line(notice: Notice) -> bytes:
    """A notice as a line of an envelope."""
    return b"%s %s %s" % (notice.target.encode(), notice.type.encode(), notice.frame)


def decode_notices(data: bytes) -> list[Notice]:
    """The notices of an envelope, or DecodeError."""
    try:
        notices = []
        for line in data.split(b"\n"):
            target, kind, frame = line.split(b" ", 2)
            notices.append(Notice(target.decode(), kind.decode(), frame))
    except ValueError:
        raise DecodeError("malformed notice envelope") from None
    return notices


def decode_events(data: bytes) -> list[Event]:
    """The events of an envelope in rev order, or DecodeError."""
    try:
        events = []
        for line in data.split(b"\n"):
            kind, rev, frame = line.split(b" ", 2)
            events.append(Event(kind.decode(), int(rev), frame))
    except ValueError:
        raise DecodeError("malformed event envelope") from None
    return events


def decode_answers(data: bytes) -> list[Answer]:
    """The answers of an envelope, or DecodeError."""
    try:
        answers = []
        for line in data.split(b"\n"):
            command_id, applied, frame = line.split(b" ", 2)
            answers.append(Answer(CommandId(command_id.decode()), applied == b"1", frame))
    except ValueError:
        raise DecodeError("malformed answer envelope") from None
    return answers


def pack_lines(lines: list[bytes], max_bytes: int = ENVELOPE_MAX_BYTES) -> list[bytes]:
    """Lines as few envelopes of at most `max_bytes` each, in order. A longer single line goes alone."""
    envelopes: list[bytes] = []
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and size + len(line) + 1 > max_bytes:
            envelopes.append(b"\n".join(batch))
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        envelopes.append(b"\n".join(batch))
    return envelopes

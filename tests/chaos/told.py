"""What plain sockets were told of their messages, and what it comes to: a history, and a row of figures."""

from __future__ import annotations

import json
import time
from typing import Final

from tests.chaos.crowd import STORED
from tests.chaos.figures import Figures
from tests.chaos.rig import Rig
from tests.chaos.sizes import Size
from tests.kit.checkers import Violation, violations
from tests.kit.history import Attempt, History, Stored
from tests.kit.socket import Frame, Socket

CHECKED: Final = "C1 C2 C3"
SHOWN: Final = 12


def acks(socket: Socket) -> list[Frame]:
    """What was said to be stored."""
    return [one for one in socket.history if one["type"] == "message_ack" and one["status"] == "sent"]


def told_apart(acks: dict[str, list[Frame]], sent_at: dict[str, list[float]]) -> list[Violation]:
    """Messages whose acks differ, or are not as many as were sent."""
    found = [
        Violation("C2", "acks differ", json.dumps(frames[:2]))
        for frames in acks.values()
        if any(frame != frames[0] for frame in frames)
    ]
    return found + [
        Violation("G7", "not one answer each", f"{name}: {len(acks.get(name, ()))} of {len(times)}")
        for name, times in sent_at.items()
        if len(acks.get(name, ())) != len(times)
    ]


def note(
    history: History,
    acks: dict[str, list[Frame]],
    sent_at: dict[str, list[float]],
    user: str,
    thread: str,
    *,
    in_order: bool = True,
) -> None:
    for order, (name, times) in enumerate(sent_at.items()):
        about = (name, f"{user}-{name[0] if in_order else name}", thread, order)
        history.attempts.append(Attempt(*about, "invoke", times[0]))
        history.attempts += [Attempt(*about, "ok", 0.0, frame["seq"]) for frame in acks.get(name, ())]


async def stored(rig: Rig) -> History:
    return History(
        stored=[
            Stored(name, thread, seq, rev, f"{thread}~{seq}", sender)
            for thread, seq, rev, sender, name in await rig.sql(STORED)
        ]
    )


def judged(
    history: History,
    size: Size,
    number: int,
    began: float,
    scenario: str,
    fault: str,
    notes: str,
    found: list[Violation],
) -> Figures:
    wrong = [*found, *violations(history)]
    figures = Figures(
        scenario,
        fault,
        len(history.sent),
        len(history.acked),
        sum(one.kind == "lost" for one in wrong),
        sum(one.kind == "stored twice" for one in wrong),
        None,
        CHECKED if not wrong else ", ".join(sorted({one.kind for one in wrong})),
        notes,
        seed=number,
        size=size.name,
        took_s=round(time.monotonic() - began, 1),
    )
    print(figures, flush=True)
    shown = "\n".join(f"  {one.checker} {one.kind}: {one.about}" for one in wrong[:SHOWN])
    assert not wrong, f"{scenario} with CHATTERBUS_CHAOS_SEED={number}: {len(wrong)} violations\n{shown}"
    return figures


def acks_by_message(*sockets: Socket) -> dict[str, list[Frame]]:
    """By clientMessageId."""
    found: dict[str, list[Frame]] = {}
    for socket in sockets:
        for frame in acks(socket):
            found.setdefault(frame["clientMessageId"], []).append(frame)
    return found

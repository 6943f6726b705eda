"""P4: whatever a client sends, nothing raises, nothing is published before auth, each request is answered once."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbus_contracts.codec import encode
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_gateway.policy import SocketPolicy
from tests.kit.strategies import any_of, json_objects
from tests.unit.gateway.session_shell import Shell

FRAMES = any_of(dict(CLIENT_FRAMES)).map(lambda frame: encode(frame).decode())
OBJECTS = st.builds(
    lambda kind, rest: json.dumps({**rest, "type": kind}), st.sampled_from([*CLIENT_FRAMES, "x"]), json_objects()
)
# Ids and emoji drawn by themselves hardly ever fit together.
CHANGES = st.builds(
    lambda kind, place, rest: json.dumps({"type": kind, "threadId": "t1", "messageId": place, **rest}),
    st.sampled_from(["message_edit", "message_delete", "reaction", "mark_unread"]),
    st.sampled_from(["t1~1", "t2~1"]),
    st.fixed_dictionaries(
        {
            "content": st.sampled_from(["x", " ", "x" * 16_001]),
            "emoji": st.sampled_from(["👍", "❤", "no"]),
            "action": st.sampled_from(["add", "remove"]),
            "seq": st.integers(0, 2),
        },
        optional={"ref": st.just("r")},
    ),
)
TEXTS = st.text(max_size=50) | FRAMES | OBJECTS | CHANGES
PLENTY = SocketPolicy(frames_burst=10_000, bad_frames_max=10_000)
UNANSWERED = {"typing", "delivered_receipt", "read_receipt"}


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.booleans())
def test_nothing_raises_and_nothing_happens_before_auth(texts: list[str], dev: bool) -> None:
    shell = Shell(SocketPolicy(dev_mode=dev))
    for text in texts:
        open_before = shell.session.principal is not None
        effects = (len(shell.commands), len(shell.follows), len(shell.cursors), len(shell.typing))
        shell.say_raw(text)
        if not open_before and shell.session.principal is None:
            assert effects == (len(shell.commands), len(shell.follows), len(shell.cursors), len(shell.typing))
    if shell.closed:
        assert shell.say_raw(texts[-1]) == []
        assert len(shell.closed) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.data())
def test_each_request_of_an_open_session_is_answered_exactly_once(texts: list[str], data: st.DataObject) -> None:
    shell = Shell(PLENTY).open()
    for text in texts:
        commands, follows, unfollows, quiet = _marks(shell)
        choices, watches = len(shell.choices), len(shell.watches)
        answers = shell.say_raw(text)
        new_commands = shell.commands[commands:]
        handed_over = len(new_commands) + len(shell.follows[follows:]) + len(shell.unfollows[unfollows:])
        handed_over += len(shell.choices[choices:]) + len(shell.watches[watches:])
        if _kind(text) in UNANSWERED:
            assert len(answers) + _marks(shell)[3] - quiet <= 1
            assert not handed_over
        else:
            assert len(answers) + handed_over == 1, (text, answers)
        for _, chosen in shell.choices[choices:]:
            before = len(shell.sent)
            shell.session.settled(chosen, Refusal(ErrorCode.PRESENCE_UNAVAILABLE, "away"))
            assert len(shell.sent) == before + 1
        for command, request in new_commands:
            outcome = data.draw(st.sampled_from(["applied", "refused", "timeout"]))
            before = len(shell.sent)
            if outcome == "timeout":
                shell.session.settled(request, Refusal(ErrorCode.TIMEOUT, "late"))  # type: ignore[arg-type]
            else:
                shell.session.settled(request, Answer(command.id, outcome == "applied", b'{"type":"x"}'))  # type: ignore[arg-type]
            assert len(shell.sent) == before + 1
    assert not shell.closed
    assert shell.session.in_flight == 0


def _marks(shell: Shell) -> tuple[int, int, int, int]:
    return len(shell.commands), len(shell.follows), len(shell.unfollows), len(shell.cursors) + len(shell.typing)


def _kind(text: str) -> Any:
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    kind = frame.get("type") if isinstance(frame, dict) else None
    return kind if isinstance(kind, str) else None

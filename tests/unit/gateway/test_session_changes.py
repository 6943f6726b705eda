"""The session: edits, deletes, reactions and marks become commands, and are answered once."""

from __future__ import annotations

from typing import Any

import pytest

from chatterbus_contracts.commands import Command, MarkUnread, RemoveMessage, ReviseMessage, SetReaction
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import CONTENT_MAX_CHARS
from chatterbus_gateway.outcome import Queued
from chatterbus_gateway.policy import SocketPolicy
from tests.unit.gateway.session_shell import Shell

PLACE = {"threadId": "t1", "messageId": "t1~7", "ref": "r1"}
EDIT = {"type": "message_edit", **PLACE, "content": "Hello again"}
DELETE = {"type": "message_delete", **PLACE}
REACT = {"type": "reaction", **PLACE, "emoji": "👍", "action": "add"}
MARK = {"type": "mark_unread", "threadId": "t1", "seq": 6, "ref": "r1"}
CHANGES = {frame["type"]: frame for frame in (EDIT, DELETE, REACT, MARK)}
EACH = pytest.mark.parametrize("frame", CHANGES.values(), ids=CHANGES)


def command_of(shell: Shell) -> Command:
    ((command, _),) = shell.commands
    return command


@EACH
def test_a_change_becomes_a_command_with_the_tokens_identity_and_its_ref(frame: dict[str, Any]) -> None:
    shell = Shell().open()
    assert shell.say(**frame) == []
    command = command_of(shell)
    assert (command.thread_id, command.user_id, command.user_type) == ("t1", "anna", "user")
    assert (command.gateway, command.ref) == ("g1", "r1")


def test_an_edit_says_which_message_and_what_it_says_now() -> None:
    shell = Shell().open()
    shell.say(**EDIT)
    command = command_of(shell)
    assert isinstance(command, ReviseMessage)
    assert (command.message_id, command.content) == ("t1~7", "Hello again")


def test_a_delete_says_which_message() -> None:
    shell = Shell().open()
    shell.say(**DELETE)
    command = command_of(shell)
    assert isinstance(command, RemoveMessage)
    assert command.message_id == "t1~7"


@pytest.mark.parametrize(("action", "on"), [("add", True), ("remove", False)])
def test_a_reaction_is_set_or_taken_away(action: str, on: bool) -> None:
    shell = Shell().open()
    shell.say(**{**REACT, "action": action})
    command = command_of(shell)
    assert isinstance(command, SetReaction)
    assert (command.message_id, command.emoji, command.on) == ("t1~7", "👍", on)


def test_a_reaction_is_queued_in_the_one_form_that_is_stored() -> None:
    shell = Shell().open()
    shell.say(**{**REACT, "emoji": "❤"})
    command = command_of(shell)
    assert isinstance(command, SetReaction)
    assert command.emoji == "❤️"


def test_a_mark_says_from_where_on() -> None:
    shell = Shell().open()
    shell.say(**MARK)
    command = command_of(shell)
    assert isinstance(command, MarkUnread)
    assert command.seq == 6


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({**EDIT, "messageId": "t2~7"}, "BAD_FRAME"),
        ({**DELETE, "messageId": "t2~7"}, "BAD_FRAME"),
        ({**REACT, "messageId": "t2~7"}, "BAD_FRAME"),
        ({**EDIT, "content": "x" * (CONTENT_MAX_CHARS + 1)}, "CONTENT_TOO_LONG"),
        ({**EDIT, "content": "a\x00b"}, "BAD_FRAME"),
        ({**REACT, "emoji": "ok"}, "BAD_EMOJI"),
        ({**REACT, "emoji": "👍👍"}, "BAD_EMOJI"),
        ({**REACT, "emoji": ""}, "BAD_FRAME"),
        ({**REACT, "action": "toggle"}, "BAD_FRAME"),
        ({**MARK, "seq": 0}, "BAD_FRAME"),
    ],
)
def test_a_change_against_the_rules_is_refused_and_not_queued(frame: dict[str, Any], code: str) -> None:
    shell = Shell().open()
    (error,) = shell.say(**frame)
    assert (error["code"], error["fate"], error["ref"]) == (code, "rejected", "r1")
    assert not shell.commands


def test_whether_an_edit_may_be_blank_is_left_to_the_ledger_which_knows_the_files() -> None:
    shell = Shell().open()
    assert shell.say(**{**EDIT, "content": "  "}) == []
    assert len(shell.commands) == 1


@EACH
def test_the_persisters_answer_is_forwarded_as_it_is(frame: dict[str, Any]) -> None:
    shell = Shell().open()
    shell.say(**frame)
    command, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Answer(command.id, True, b'{"type":"ack","ref":"r1","rev":9}'))
    assert shell.sent[1:] == [{"type": "ack", "ref": "r1", "rev": 9}]
    assert shell.session.in_flight == 0


@EACH
def test_a_change_that_waits_is_answered_once_in_the_end(frame: dict[str, Any]) -> None:
    shell = Shell().open()
    shell.say(**frame)
    command, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Queued(command.id))
    assert shell.sent[1:] == []
    shell.session.settled(request, Refusal(ErrorCode.TIMEOUT, "no answer in time"))
    (error,) = shell.sent[1:]
    assert (error["code"], error["fate"], error["ref"]) == ("TIMEOUT", "unknown", "r1")
    assert shell.session.in_flight == 0


@EACH
def test_too_many_unanswered_changes_are_refused(frame: dict[str, Any]) -> None:
    shell = Shell(SocketPolicy(in_flight_max=1)).open()
    shell.say(**frame)
    (error,) = shell.say(**frame)
    assert (error["code"], error["ref"]) == ("TOO_MANY_IN_FLIGHT", "r1")
    assert len(shell.commands) == 1


@EACH
def test_development_mode_creates_no_thread_for_a_change_of_what_must_be_there(frame: dict[str, Any]) -> None:
    shell = Shell(SocketPolicy(dev_mode=True))
    shell.say(type="auth", userId="anna")
    shell.say(**frame)
    assert [command.kind for command, _ in shell.commands] == [command_of(shell).kind]
    assert not command_of(shell).kind.startswith("thread.")

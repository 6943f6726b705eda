"""The session: what a frame means, given what was said before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chatterbus_contracts.commands import CreateThread, StoreMessage
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import CloseCode, ErrorCode, Refusal
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.ids import CommandId, ThreadId, UserId
from chatterbus_gateway.outcome import Queued
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.requests import HANDLERS
from tests.contract.golden_files import golden
from tests.unit.gateway.session_shell import ANNA, Shell

MESSAGE = {"type": "message", "threadId": "t1", "content": "Hello", "clientMessageId": "m1"}


def test_every_client_frame_has_a_handler() -> None:
    assert set(HANDLERS) == set(CLIENT_FRAMES.values())


# --- auth ---


@pytest.mark.parametrize("kind", [name for name in CLIENT_FRAMES if name != "auth"])
def test_nothing_but_auth_is_accepted_before_auth(kind: str) -> None:
    shell = Shell()
    (error,) = shell.say_raw(json.dumps(golden("client", kind)))
    assert error["code"] == "AUTH_REQUIRED"
    assert shell.closed == [CloseCode.AUTH_FAILED]
    assert not shell.commands
    assert not shell.follows


def test_bytes_that_are_no_frame_end_a_socket_that_has_not_authenticated() -> None:
    shell = Shell()
    (error,) = shell.say_raw("hello")
    assert error["code"] == "BAD_FRAME"
    assert shell.closed == [CloseCode.AUTH_FAILED]


def test_a_bad_token_is_refused_and_never_echoed() -> None:
    shell = Shell()
    (error,) = shell.say(type="auth", token="secret-token", userId="anna")
    assert error["code"] == "AUTH_FAILED"
    assert "secret-token" not in json.dumps(error)
    assert error["originalMessage"] == {"type": "auth", "userId": "anna"}
    assert shell.closed == [CloseCode.AUTH_FAILED]


def test_auth_without_a_token_is_refused_outside_development_mode() -> None:
    shell = Shell()
    (error,) = shell.say(type="auth", userId="anna", userType="user")
    assert error["code"] == "AUTH_REQUIRED"
    assert shell.closed == [CloseCode.AUTH_FAILED]


def test_auth_that_claims_another_user_than_its_token_is_refused() -> None:
    shell = Shell()
    (error,) = shell.say(type="auth", token="anna", userId="bob")
    assert error["code"] == "IDENTITY_MISMATCH"
    assert shell.closed == [CloseCode.AUTH_FAILED]


def test_auth_with_a_thread_also_subscribes() -> None:
    shell = Shell()
    shell.say(type="auth", token="anna", threadId="t1", sinceRev=7)
    assert [(thread, rev) for thread, rev, _ in shell.follows] == [("t1", 7)]


def test_a_user_with_too_many_connections_is_refused_with_the_code_that_says_so() -> None:
    shell = Shell()
    shell.user_full = True
    (error,) = shell.say(type="auth", token="anna")
    assert error["code"] == "TOO_MANY_CONNECTIONS"
    assert shell.closed == [CloseCode.TOO_MANY_CONNECTIONS]


def test_frames_that_come_while_the_token_is_verified_are_worked_off_after_it() -> None:
    shell = Shell()
    shell.say(type="auth", token="later")
    assert shell.say(**MESSAGE) == []
    assert not shell.commands
    shell.session.authenticated(ANNA, 0.0, 1_000.0)
    assert [frame["type"] for frame in shell.sent] == ["auth_success"]
    assert len(shell.commands) == 1


def test_no_more_than_a_few_frames_are_held_while_the_token_is_verified() -> None:
    shell = Shell(SocketPolicy(held_frames_max=2))
    shell.say(type="auth", token="later")
    shell.say(type="ping")
    shell.say(type="ping")
    assert shell.say(type="ping")[0]["code"] == "AUTH_REQUIRED"
    assert shell.closed == [CloseCode.AUTH_FAILED]
    shell.session.authenticated(ANNA, 0.0, 1_000.0)
    assert len(shell.sent) == 1


def test_keys_that_cannot_be_fetched_end_the_socket_with_a_code_that_lets_the_client_come_back() -> None:
    shell = Shell()
    shell.say(type="auth", token="later")
    shell.session.auth_refused(Refusal(ErrorCode.STORE_UNAVAILABLE, "no keys"))
    assert shell.closed == [CloseCode.INTERNAL]


def test_auth_on_an_open_socket_renews_the_token() -> None:
    shell = Shell().open()
    shell.verify("anna")  # nothing was asked: nothing happens
    assert shell.say(type="auth", token="later") == []
    shell.session.authenticated(replace(ANNA, expires_at=9_000.0), 0.0, 1_000.0)
    assert shell.session.expires_s == 8_000.0
    assert [frame["type"] for frame in shell.sent] == ["auth_success", "auth_success"]


def test_a_renewal_for_another_user_is_refused_and_changes_nothing() -> None:
    shell = Shell().open()
    (error,) = shell.say(type="auth", token="bob")
    assert error["code"] == "IDENTITY_MISMATCH"
    assert not shell.closed
    assert shell.session.principal == ANNA


def test_a_failed_renewal_leaves_the_token_that_is_in_force() -> None:
    shell = Shell().open()
    (error,) = shell.say(type="auth", token="nonsense")
    assert error["code"] == "AUTH_FAILED"
    assert not shell.closed
    assert shell.say(type="ping", id="1") == [{"type": "pong", "id": "1"}]


def test_auth_in_time_is_demanded() -> None:
    shell = Shell(SocketPolicy(auth_deadline_s=10))
    assert shell.session.tick(9.0, 0.0) == 10.0
    assert not shell.closed
    shell.session.tick(10.0, 0.0)
    assert shell.closed == [CloseCode.AUTH_TIMEOUT]


# --- time ---


def test_a_token_about_to_expire_is_announced_once_and_ends_the_socket_when_it_does() -> None:
    shell = Shell().open()  # expires in 4,000 s
    shell.session.heard_s = 1e9
    assert shell.session.tick(3_939.0, 4_939.0) <= 3_964.0
    shell.session.tick(3_940.0, 4_940.0)
    shell.session.tick(3_941.0, 4_941.0)
    notices = [frame for frame in shell.sent if frame["type"] == "token_expiring"]
    assert [notice["expiresAt"] for notice in notices] == ["1970-01-01T01:23:20.000Z"]
    assert shell.session.tick(3_999.0, 4_999.0) <= 4_000.0
    shell.session.tick(4_000.0, 5_000.0)
    assert shell.closed == [CloseCode.TOKEN_EXPIRED]


def test_pings_are_sent_and_silence_ends_the_socket() -> None:
    shell = Shell(SocketPolicy(ping_every_s=25, silence_max_s=60)).open()
    assert shell.session.tick(24.0, 0.0) == 25.0
    assert shell.pings == 0
    assert shell.session.tick(25.0, 0.0) == 50.0
    assert shell.session.tick(50.0, 0.0) == 60.0
    assert shell.pings == 2
    shell.session.tick(60.0, 0.0)
    assert shell.closed == [CloseCode.HEARTBEAT_MISSED]


# --- messages ---


def test_a_message_becomes_a_command_with_the_tokens_identity() -> None:
    shell = Shell().open()
    assert shell.say(**MESSAGE) == []
    command, _ = shell.commands[0]
    assert isinstance(command, StoreMessage)
    assert (command.user_id, command.thread_id, command.content) == ("anna", "t1", "Hello")
    assert (command.gateway, command.client_message_id) == ("g1", "m1")


def test_a_message_without_a_client_id_gets_one() -> None:
    shell = Shell().open()
    shell.say(type="message", threadId="t1", content="Hello")
    command, _ = shell.commands[0]
    assert isinstance(command, StoreMessage)
    assert command.client_message_id == command.id


def test_command_ids_never_repeat() -> None:
    shell = Shell().open()
    for _ in range(3):
        shell.say(**MESSAGE)
    assert len({command.id for command, _ in shell.commands}) == 3


@pytest.mark.parametrize(
    "identity",
    [{"senderId": "bob"}, {"senderType": "admin"}, {"senderId": "anna", "senderType": "admin"}],
)
def test_a_message_for_somebody_else_is_refused(identity: dict[str, str]) -> None:
    shell = Shell().open()
    (error,) = shell.say(**MESSAGE, **identity)
    assert (error["code"], error["clientMessageId"]) == ("IDENTITY_MISMATCH", "m1")
    assert not shell.commands


def test_identity_fields_that_equal_the_tokens_are_accepted() -> None:
    shell = Shell().open()
    assert shell.say(**MESSAGE, senderId="anna", senderType="user") == []
    assert len(shell.commands) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content": "  \n"}, "CONTENT_EMPTY"),
        ({"content": "x" * 16_001}, "CONTENT_TOO_LONG"),
        ({"messageType": "system"}, "FORBIDDEN"),
        ({"attachmentIds": ["a1"]}, "BAD_FRAME"),
    ],
)
def test_a_message_against_the_rules_is_refused_and_not_queued(fields: dict[str, Any], code: str) -> None:
    shell = Shell().open()
    (error,) = shell.say(**{**MESSAGE, **fields})
    assert (error["code"], error["fate"]) == (code, "rejected")
    assert not shell.commands


def test_system_messages_need_their_scope() -> None:
    shell = Shell().open("system")
    assert shell.say(**MESSAGE, messageType="system") == []
    assert len(shell.commands) == 1


def test_the_persisters_answer_is_forwarded_as_it_is() -> None:
    shell = Shell().open()
    shell.say(**MESSAGE)
    command, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Answer(command.id, True, b'{"type":"message_ack","seq":1}'))
    assert shell.sent[-1] == {"type": "message_ack", "seq": 1}
    assert shell.session.in_flight == 0


def test_a_message_that_waits_is_said_to_be_queued_and_answered_once_more() -> None:
    shell = Shell().open()
    shell.say(**MESSAGE)
    command, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Queued(command.id))
    assert shell.sent[-1] == {
        "type": "message_ack",
        "clientMessageId": "m1",
        "threadId": "t1",
        "status": "queued",
    }
    assert shell.session.in_flight == 1
    shell.session.settled(request, Refusal(ErrorCode.TIMEOUT, "no answer in time"))
    assert (shell.sent[-1]["code"], shell.sent[-1]["fate"]) == ("TIMEOUT", "unknown")
    assert (shell.sent[-1]["clientMessageId"], shell.session.in_flight) == ("m1", 0)


def test_a_queue_that_refuses_is_answered_at_once_and_nothing_stays_in_flight() -> None:
    shell = Shell().open()
    shell.queue_refuses = Refusal(ErrorCode.QUEUE_FULL, "the queue is full", retry_after_ms=1_000)
    (error,) = shell.say(**MESSAGE)
    assert (error["code"], error["retryable"], error["retryAfterMs"]) == ("QUEUE_FULL", True, 1_000)
    assert shell.session.in_flight == 0


def test_too_many_unanswered_requests_are_refused() -> None:
    shell = Shell(SocketPolicy(in_flight_max=2)).open()
    shell.say(**MESSAGE)
    shell.say(**MESSAGE)
    (error,) = shell.say(**MESSAGE)
    assert (error["code"], error["retryable"]) == ("TOO_MANY_IN_FLIGHT", True)
    assert len(shell.commands) == 2


def test_large_frames_are_not_echoed() -> None:
    shell = Shell().open()
    (error,) = shell.say(**MESSAGE, messageType="system", metadata={"note": "x" * 2_000})
    assert "originalMessage" not in error


def test_a_large_malformed_frame_is_not_echoed_and_its_sender_can_match_the_error() -> None:
    shell = Shell().open()
    (error,) = shell.say(**MESSAGE, metadata={"card": "x" * 9_000}, ref="r")
    assert (error["code"], error["clientMessageId"], error["ref"]) == ("BAD_FRAME", "m1", "r")
    assert "originalMessage" not in error


# --- receipts, typing, threads ---


@pytest.mark.parametrize(
    ("frame", "cursor"),
    [
        ({"type": "read_receipt", "threadId": "t1", "seq": 4}, ("t1", None, 4)),
        ({"type": "read_receipt", "threadId": "t1", "messageId": "t1~9"}, ("t1", None, 9)),
        ({"type": "delivered_receipt", "threadId": "t1", "messageId": "t1~9", "seq": 3}, ("t1", 9, None)),
        (
            {"type": "read_receipt", "threadId": "t1", "seq": 4, "readerId": "anna", "readerType": "user"},
            ("t1", None, 4),
        ),
    ],
)
def test_a_receipt_moves_a_cursor_and_is_not_answered(frame: dict[str, Any], cursor: tuple[Any, ...]) -> None:
    shell = Shell().open()
    assert shell.say(**frame) == []
    assert shell.cursors == [cursor]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"messageId": "t2~9"}, "BAD_FRAME"),
        ({}, "BAD_FRAME"),
        ({"seq": 1, "readerId": "bob"}, "IDENTITY_MISMATCH"),
        ({"seq": 0}, "BAD_FRAME"),
    ],
)
def test_a_wrong_receipt_is_answered_and_moves_nothing(fields: dict[str, Any], code: str) -> None:
    shell = Shell().open()
    (error,) = shell.say(type="read_receipt", threadId="t1", **fields)
    assert error["code"] == code
    assert not shell.cursors


def test_typing_passes_only_from_those_who_follow_the_thread() -> None:
    shell = Shell().open()
    assert shell.say(type="typing", threadId="t1") == []
    shell.say(type="subscribe", threadId="t1")
    assert shell.say(type="typing", threadId="t1", isTyping=False) == []
    assert shell.typing == [("t1", False)]


def test_following_is_capped() -> None:
    shell = Shell(SocketPolicy(threads_max=2)).open()
    for thread in ("t1", "t2", "t2"):
        assert shell.say(type="subscribe", threadId=thread) == []
    (error,) = shell.say(type="subscribe", threadId="t3", ref="r")
    assert (error["code"], error["ref"]) == ("TOO_MANY_SUBSCRIPTIONS", "r")
    shell.session.unfollowed(ThreadId("t1"))
    assert shell.say(type="subscribe", threadId="t3") == []


# --- floods and nonsense ---


def test_too_many_frames_are_refused_with_the_time_to_wait() -> None:
    shell = Shell(SocketPolicy(frames_per_s=10, frames_burst=3)).open()
    shell.say(type="ping")
    shell.say(type="ping")
    (error,) = shell.say(**MESSAGE)
    assert (error["code"], error["clientMessageId"]) == ("RATE_LIMITED", "m1")
    assert 0 < error["retryAfterMs"] <= 101
    shell.now_s = 0.11
    assert shell.say(**MESSAGE) == []


def test_a_flood_that_goes_on_ends_the_socket() -> None:
    shell = Shell(SocketPolicy(frames_per_s=1, frames_burst=1, floods_max=5)).open()
    for _ in range(6):
        shell.say(type="ping")
    assert shell.closed == [CloseCode.RATE_LIMITED]
    assert shell.say(type="ping") == []


def test_unknown_types_are_answered_and_tolerated() -> None:
    shell = Shell().open()
    for _ in range(50):
        (error,) = shell.say(type="dance", ref="r7")
        assert (error["code"], error["ref"]) == ("UNKNOWN_TYPE", "r7")
    assert not shell.closed


def test_malformed_frames_that_keep_coming_end_the_socket() -> None:
    shell = Shell(SocketPolicy(bad_frames_max=3)).open()
    for _ in range(4):
        (error,) = shell.say(type="message", threadId="a b", content="x", clientMessageId="m9")
        assert (error["code"], error["clientMessageId"]) == ("BAD_FRAME", "m9")
    assert shell.closed == [CloseCode.PROTOCOL_VIOLATION]


# --- development mode ---


def dev_shell() -> Shell:
    shell = Shell(SocketPolicy(dev_mode=True))
    shell.say(type="auth", userId="anna", userType="client")
    return shell


def test_development_mode_believes_what_a_client_says_of_itself() -> None:
    shell = dev_shell()
    assert shell.session.principal == Principal(user_id=UserId("anna"), user_type="client", dev=True)


def test_development_mode_creates_a_thread_on_first_use_once_and_before_the_message() -> None:
    shell = dev_shell()
    shell.say(**MESSAGE)
    shell.say(**MESSAGE)
    kinds = [type(command) for command, _ in shell.commands]
    assert kinds == [CreateThread, StoreMessage, StoreMessage]
    created = shell.commands[0][0]
    assert isinstance(created, CreateThread)
    assert (created.open, created.gateway) == (True, None)


@pytest.mark.parametrize("applied", [True, False])
def test_development_mode_asks_the_store_when_the_thread_is_there(applied: bool) -> None:
    shell = dev_shell()
    shell.say(type="subscribe", threadId="t1", sinceRev=3)
    assert not shell.follows
    command, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Answer(CommandId(command.id), applied, b"{}"))
    assert [(thread, rev) for thread, rev, _ in shell.follows] == [("t1", 3)]


def test_development_mode_answers_a_subscribe_whose_thread_cannot_be_created() -> None:
    shell = dev_shell()
    shell.say(type="subscribe", threadId="t1", ref="r")
    _, request = shell.commands[0]
    assert request is not None
    shell.session.settled(request, Refusal(ErrorCode.QUEUE_UNAVAILABLE, "gone"))
    assert (shell.sent[-1]["code"], shell.sent[-1]["ref"]) == ("QUEUE_UNAVAILABLE", "r")
    assert not shell.session.threads

"""When a connection's person counts as away, and when as back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatterbus_gateway.policy import SocketPolicy
from tests.unit.gateway.session_shell import UNIX_S, Shell

AWAY_AFTER_S = 10.0


def open_shell() -> Shell:
    return Shell(replace(SocketPolicy(), away_after_s=AWAY_AFTER_S)).open()


def tick(shell: Shell, now_s: float) -> float:
    shell.now_s = now_s
    return shell.session.tick(now_s, UNIX_S + now_s)


def test_away_is_told_once_when_the_time_is_over_and_not_before() -> None:
    shell = open_shell()
    assert tick(shell, 9.9) == AWAY_AFTER_S
    assert shell.away == []
    tick(shell, 10.0)
    tick(shell, 20.0)
    assert shell.away == [True]


def test_the_time_counts_from_auth_not_from_the_socket() -> None:
    shell = Shell(replace(SocketPolicy(), away_after_s=AWAY_AFTER_S))
    shell.now_s = 8.0
    shell.open()
    tick(shell, 17.9)
    assert shell.away == []
    tick(shell, 18.0)
    assert shell.away == [True]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "typing", "threadId": "t1"},
        {"type": "message", "threadId": "t1", "content": "Hi"},
        {"type": "read_receipt", "threadId": "t1", "seq": 1},
    ],
    ids=lambda frame: frame["type"],
)
def test_a_frame_of_the_persons_brings_back_at_once_and_starts_the_time_anew(frame: dict[str, object]) -> None:
    shell = open_shell()
    tick(shell, 10.0)
    shell.now_s = 12.0
    shell.say(**frame)
    assert shell.away == [True, False]
    tick(shell, 21.9)
    assert shell.away == [True, False]
    tick(shell, 22.0)
    assert shell.away == [True, False, True]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ping"},
        {"type": "auth", "token": "anna"},
        {"type": "delivered_receipt", "threadId": "t", "seq": 1},
        {"type": "subscribe", "threadId": "t"},
        {"type": "presence_watch", "userIds": ["bob"]},
    ],
    ids=["ping", "token renewal", "delivered receipt", "subscribe", "watch"],
)
def test_what_a_program_sends_by_itself_is_no_sign_of_a_person(frame: dict[str, object]) -> None:
    shell = open_shell()
    shell.now_s = 5.0
    shell.say(**frame)
    tick(shell, 10.0)
    assert shell.away == [True]
    shell.say(**frame)
    assert shell.away == [True]


def test_protocol_pongs_are_no_sign_of_a_person() -> None:
    shell = open_shell()
    shell.session.heard_s = 9.0
    tick(shell, 10.0)
    assert shell.away == [True]


def test_what_cannot_be_read_is_no_sign_of_a_person() -> None:
    shell = open_shell()
    tick(shell, 10.0)
    shell.say_raw("{")
    assert shell.away == [True]


def test_who_declared_away_stays_away_whatever_it_sends_until_it_says_otherwise() -> None:
    shell = open_shell()
    shell.session.declare(away=True)
    shell.now_s = 1.0
    shell.say(type="typing", threadId="t1")
    tick(shell, 2.0)
    assert shell.away == [True]
    shell.session.declare(away=False)
    assert shell.away == [True, False]


def test_who_declares_to_be_online_goes_away_by_time_again() -> None:
    shell = open_shell()
    tick(shell, 10.0)
    shell.session.declare(away=True)
    shell.now_s = 15.0
    shell.say(type="typing", threadId="t1")
    shell.session.declare(away=False)
    assert shell.away == [True, False]
    assert tick(shell, 15.0) == 25.0
    tick(shell, 25.0)
    assert shell.away == [True, False, True]


def test_a_session_attends_while_it_is_open_and_not_away() -> None:
    shell = Shell(replace(SocketPolicy(), away_after_s=AWAY_AFTER_S))
    assert not shell.session.is_attending
    shell.open()
    assert shell.session.is_attending
    tick(shell, 10.0)
    assert not shell.session.is_attending
    shell.say(type="typing", threadId="t1")
    assert shell.session.is_attending
    shell.session.ended()
    assert not shell.session.is_attending

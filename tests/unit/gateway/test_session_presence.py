"""What a session makes of presence_set and presence_watch."""

from __future__ import annotations

from chatterbus_contracts.codec import encode
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.server import Ack
from chatterbus_contracts.ids import CommandId
from chatterbus_gateway.policy import SocketPolicy
from tests.unit.gateway.session_shell import Shell


def chosen(ref: str) -> Answer:
    return Answer(CommandId(""), True, encode(Ack(ref=ref)))


def test_away_is_said_of_the_device_and_acked_at_once() -> None:
    shell = Shell().open()
    assert shell.say(type="presence_set", status="away", ref="r1") == [{"type": "ack", "ref": "r1"}]
    assert shell.away == [True]
    assert shell.choices == []
    assert shell.session.in_flight == 0


def test_online_makes_the_device_active_and_takes_back_the_users_choice() -> None:
    shell = Shell().open()
    shell.say(type="presence_set", status="away")
    assert shell.say(type="presence_set", status="online", ref="r2") == []
    assert shell.away == [True, False]
    ((status, request),) = shell.choices
    assert (status, shell.session.in_flight) == ("online", 1)
    shell.session.settled(request, chosen("r2"))
    assert shell.sent[-1] == {"type": "ack", "ref": "r2"}
    assert shell.session.in_flight == 0


def test_a_choice_says_nothing_of_the_device() -> None:
    shell = Shell().open()
    for status in ("dnd", "invisible"):
        assert shell.say(type="presence_set", status=status) == []
    assert [status for status, _ in shell.choices] == ["dnd", "invisible"]
    assert shell.away == []


def test_a_choice_that_nobody_takes_is_refused_and_may_be_made_again() -> None:
    shell = Shell().open()
    shell.say(type="presence_set", status="dnd", ref="r3")
    shell.session.settled(shell.choices[0][1], Refusal(ErrorCode.PRESENCE_UNAVAILABLE, "away", retry_after_ms=1_000))
    error = shell.sent[-1]
    assert (error["code"], error["ref"], error["retryable"]) == ("PRESENCE_UNAVAILABLE", "r3", True)
    assert shell.session.in_flight == 0


def test_choices_wait_for_their_answer_within_the_bound_of_all_requests() -> None:
    shell = Shell(SocketPolicy(in_flight_max=1)).open()
    shell.say(type="presence_set", status="dnd")
    (refused,) = shell.say(type="presence_set", status="online", ref="r4")
    assert (refused["code"], refused["ref"]) == ("TOO_MANY_IN_FLIGHT", "r4")
    assert shell.away == []
    assert len(shell.choices) == 1


def test_a_watch_is_handed_over_and_not_acked() -> None:
    shell = Shell().open()
    assert shell.say(type="presence_watch", userIds=["bob", "bob", "anna"], ref="r5") == []
    ((user_ids, request),) = shell.watches
    assert user_ids == ["bob", "bob", "anna"]
    shell.session.follow_refused(request, Refusal(ErrorCode.STORE_UNAVAILABLE, "busy"))
    assert (shell.sent[-1]["code"], shell.sent[-1]["ref"]) == ("STORE_UNAVAILABLE", "r5")


def test_more_users_than_may_be_watched_are_a_bad_frame() -> None:
    shell = Shell().open()
    (refused,) = shell.say(type="presence_watch", userIds=[f"user{n}" for n in range(201)])
    assert refused["code"] == "BAD_FRAME"
    assert shell.watches == []


def test_nothing_of_presence_happens_before_auth() -> None:
    for frame in ({"type": "presence_set", "status": "dnd"}, {"type": "presence_watch", "userIds": ["bob"]}):
        shell = Shell()
        shell.say(**frame)
        assert (shell.choices, shell.watches, shell.away) == ([], [], [])
        assert shell.closed

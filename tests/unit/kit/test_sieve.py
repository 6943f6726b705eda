"""The sieve between a nats-server and its client takes what it is told to and nothing else."""

import pytest

from tests.chaos.sieve import Sieve, Switch

ACK = b"MSG chat.gw.g1 7 11\r\nan\r\nanswer!\r\n"
EVENT = b"HMSG chat.evt.t 8 _R.1 12 15\r\nNATS/1.0\r\n\r\nabc\r\n"
PING = b"PING\r\n"


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_only_messages_of_the_subject_are_taken_however_the_bytes_arrive(piece: int) -> None:
    switch = Switch(b"chat.gw.", on=True)
    sieve, stream = Sieve(switch), PING + ACK + EVENT + ACK + PING
    passed = b"".join(sieve.passed(stream[at : at + piece]) for at in range(0, len(stream), piece))
    assert passed == PING + EVENT + PING
    assert switch.taken == 2


def test_nothing_is_taken_while_it_is_off() -> None:
    switch = Switch(b"chat.gw.")
    assert Sieve(switch).passed(ACK + EVENT) == ACK + EVENT
    assert switch.taken == 0

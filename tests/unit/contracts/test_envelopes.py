"""Envelopes: how finished frames are packed, and what a receiver makes of garbage."""

import pytest

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.envelopes import (
    Answer,
    Event,
    answer_line,
    decode_answers,
    decode_events,
    event_line,
    pack_lines,
)


def test_the_wire_form_of_an_event_is_fixed() -> None:
    assert event_line(Event("message", 12, b'{"rev":12}')) == b'message 12 {"rev":12}'


def test_the_wire_form_of_an_answer_is_fixed() -> None:
    assert answer_line(Answer("cmd-1", True, b"{}")) == b"cmd-1 1 {}"
    assert answer_line(Answer("cmd-1", False, b"{}")) == b"cmd-1 0 {}"


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"message", b"message 1", b"message x {}", b"message 1 {}\n", b"\xff 1 {}"]
)
def test_a_malformed_event_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_events(data)


@pytest.mark.parametrize("data", [b"", b"\n", b"cmd", b"cmd 1", b"cmd 1 {}\n\n", b"\xff 1 {}"])
def test_a_malformed_answer_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_answers(data)


def test_a_line_longer_than_an_envelope_goes_alone() -> None:
    assert pack_lines([b"a", b"b" * 100, b"c"], max_bytes=10) == [b"a", b"b" * 100, b"c"]


def test_nothing_is_packed_into_nothing() -> None:
    assert pack_lines([]) == []

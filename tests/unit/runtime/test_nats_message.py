from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.command import hpub_cmd, pub_cmd

from chatterbus_runtime.link_errors import BadHeader, BadSubject
from chatterbus_runtime.nats_message import Message, check_listen, header_block, parse_headers, publish_command


def test_commands_are_the_librarys_own() -> None:
    assert publish_command("a.b", b"body") == pub_cmd("a.b", "", b"body")
    assert publish_command("a.b", b"body", "r") == pub_cmd("a.b", "r", b"body")
    block = b"NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n"
    assert publish_command("a", b"body", "r", {"Nats-Msg-Id": "7"}) == hpub_cmd("a", "r", block, b"body")


@given(st.text(st.characters(codec="utf-8")))
def test_a_header_value_cannot_end_its_line(value: str) -> None:
    block = header_block({"A": value})
    assert block.count(b"\r\n") == 3
    assert block.count(b"\n") == 3


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "a:b", "é"])
def test_a_header_name_outside_rfc_7230_is_refused(name: str) -> None:
    with pytest.raises(BadHeader):
        header_block({name: "x"})


@pytest.mark.parametrize("subject", ["a b", "a\tb", "a\r\nPUB x 0", "a\n", ""])
def test_white_space_in_subject_or_reply_is_refused(subject: str) -> None:
    with pytest.raises(BadSubject):
        publish_command(subject, b"")
    if subject:
        with pytest.raises(BadSubject):
            publish_command("a", b"", subject)


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        (b"NATS/1.0\r\nA: b\r\nC:d: e\r\n\r\n", (None, "", {"A": "b", "C": "d: e"})),
        (b"NATS/1.0 503\r\n\r\n", (503, "", {})),
        (b"NATS/1.0 404 No Messages\r\n\r\n", (404, "No Messages", {})),
        (
            b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 9\r\n\r\n",
            (100, "Idle Heartbeat", {"Nats-Last-Consumer": "9"}),
        ),
        (b"NATS/1.0\r\nA: \xff\r\nno colon\r\n\xc3: x\r\n\r\n", (None, "", {"A": "�"})),
    ],
)
def test_header_blocks_are_read(raw: bytes, parsed: tuple[int | None, str, dict[str, str]]) -> None:
    assert parse_headers(raw) == parsed
    message = Message("s", "", b"", raw)
    assert (message.status, message.status_text, message.headers or {}) == parsed


@given(st.binary())
def test_no_header_block_raises(raw: bytes) -> None:
    parse_headers(raw)


@pytest.mark.parametrize("subject", ["a", "a.*.b", "a.>", ">", "*"])
def test_well_formed_subjects_can_be_listened_to(subject: str) -> None:
    check_listen(subject, "")


@pytest.mark.parametrize(("subject", "queue"), [("a..b", ""), ("", ""), ("a.>.b", ""), ("a*", ""), ("a", "q\r\n")])
def test_misshapen_subjects_cannot(subject: str, queue: str) -> None:
    with pytest.raises(BadSubject):
        check_listen(subject, queue)

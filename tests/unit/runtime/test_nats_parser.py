from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from chatterbus_runtime.nats_parser import MAX_LINE_BYTES, WireParser

Seen = bytes | tuple[int, bytes, bytes, bytes, bytes]

HEADER = b"NATS/1.0\r\nA: b\r\n\r\n"


def on_wire(item: Seen) -> bytes:
    if isinstance(item, bytes):
        return item + b"\r\n"
    sid, subject, reply, data, raw = item
    words = [subject, b"%d" % sid, *([reply] if reply else [])]
    if raw:
        words += [b"%d" % len(raw), b"%d" % (len(raw) + len(data))]
        return b"HMSG " + b" ".join(words) + b"\r\n" + raw + data + b"\r\n"
    return b"MSG " + b" ".join([*words, b"%d" % len(data)]) + b"\r\n" + data + b"\r\n"


messages = st.tuples(
    st.integers(1, 99),
    st.sampled_from([b"a", b"a.b.c"]),
    st.sampled_from([b"", b"_INBOX.1"]),
    st.one_of(st.binary(max_size=50), st.sampled_from([b"PING\r\n", b"MSG a 1 3\r\nabc\r\n"])),
    st.sampled_from([b"", HEADER]),
)
lines = st.sampled_from([b"PING", b"PONG", b"+OK", b"-ERR 'x y'", b'INFO {"a": 1}'])


@given(st.lists(st.one_of(messages, lines), max_size=20), st.lists(st.integers(1, 60), max_size=40), st.booleans())
def test_any_cutting_of_the_stream_gives_the_same_messages_in_order(
    items: list[Seen], cuts: list[int], taken: bool
) -> None:
    seen: list[Seen] = []

    def deliver(*message: object) -> bool:
        if taken:
            seen.append(message)  # type: ignore[arg-type]
        return taken

    parser = WireParser(deliver)
    stream = b"".join(map(on_wire, items))
    for size in cuts:
        seen.extend(parser.feed(stream[:size]))
        stream = stream[size:]
    for rest in parser.feed(stream):
        seen.append(rest)  # noqa: PERF402  (extend would append behind what deliver appends meanwhile)
    assert sorted(map(repr, seen)) == sorted(map(repr, items))
    if not taken or not any(isinstance(item, bytes) for item in items):
        assert seen == items


def test_one_message_in_single_bytes_is_whole() -> None:
    seen: list[object] = []
    parser = WireParser(lambda *message: bool(seen.append(message)) or True)
    for byte in on_wire((7, b"a", b"r", b"body\r\n", HEADER)):
        assert not list(parser.feed(bytes([byte])))
    assert seen == [(7, b"a", b"r", b"body\r\n", HEADER)]


def test_reset_ends_a_running_feed() -> None:
    parser = WireParser(lambda *_message: True)
    feeding = parser.feed(b"PING\r\nPONG\r\nMSG half")
    assert next(feeding) == b"PING"
    parser.reset()
    assert list(feeding) == []
    assert list(parser.feed(b"PING\r\n")) == [b"PING"]


@pytest.mark.parametrize(
    "junk",
    [
        b"HTTP/1.1 400\r\n",
        b"MSG a\r\n",
        b"MSG a x 3\r\nabc\r\n",
        b"MSG a 1 -9\r\n",
        b"\r\n",
        b"x" * (MAX_LINE_BYTES + 1),
    ],
)
def test_what_is_not_nats_is_an_error(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(WireParser(lambda *_message: True).feed(junk))

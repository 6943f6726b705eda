"""The scenarios speak one set of frames, whatever envelope a peer wants."""

from bench.dialects import CONNECTED, Plain, SocketIo, dialect_of


def test_the_address_says_the_dialect() -> None:
    assert isinstance(dialect_of("ws://127.0.0.1:1/socket.io/?EIO=4&transport=websocket"), SocketIo)
    assert isinstance(dialect_of("ws://127.0.0.1:1/ws"), Plain)


def test_a_message_asks_for_an_acknowledgement_and_other_events_do_not() -> None:
    dialect = SocketIo()
    assert dialect.write(b'{"type":"auth","userId":"a"}') == b'42["auth",{"userId":"a"}]'
    assert dialect.write(b'{"type":"message","content":"x"}') == b'420["message",{"content":"x"}]'
    assert dialect.write(b'{"type":"message","content":"y"}') == b'421["message",{"content":"y"}]'


def test_events_and_acknowledgements_become_frames() -> None:
    dialect = SocketIo()
    assert dialect.read(b'42["message",{"data":{"seq":1}}]') == ((b'{"type":"message","data":{"seq":1}}',), None)
    assert dialect.read(b'431[{"seq":1,"status":"sent"}]') == (
        (b'{"type":"message_ack","seq":1,"status":"sent"}',),
        None,
    )


def test_opening_and_pings_are_answered_and_not_shown() -> None:
    dialect = SocketIo()
    assert dialect.read(b'0{"sid":"s"}') == ((), b"40")
    assert dialect.read(b'40{"sid":"s"}') == ((CONNECTED,), None)
    assert dialect.read(b"2") == ((), b"3")

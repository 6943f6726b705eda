"""A room's copy of one's own message is an ack exactly when the room has archived it."""

from bench.dialects import dialect_of
from bench.xmpp import ANONYMOUS, BIND, NOTHING, OPEN, Xmpp, attribute

FEATURES = b"<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"


def joined() -> Xmpp:
    dialect = Xmpp()
    dialect.write(b'{"type":"auth","userId":"ann","userType":"user","threadId":"tea"}')
    return dialect


def copy(sender: bytes, archived: bytes = b"<stanza-id id='77' by='tea@conference.localhost'/>") -> bytes:
    return (
        b"<message xmlns='jabber:client' to='1@localhost/2' from='tea@conference.localhost/%s' type='groupchat' "
        b"id='0-5'>%s<body>hello</body></message>"
    ) % (sender, archived)


def test_the_address_says_that_it_is_xmpp() -> None:
    assert isinstance(dialect_of("ws://127.0.0.1:1/xmpp"), Xmpp)


def test_logging_in_goes_through_every_step_and_then_joins_the_room() -> None:
    dialect = Xmpp()
    assert dialect.write(b'{"type":"auth","userId":"ann","threadId":"tea"}') == OPEN
    assert dialect.read(b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='1'/>") == NOTHING
    assert dialect.read(FEATURES) == ((), ANONYMOUS)
    assert dialect.read(b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") == ((), OPEN)
    assert dialect.read(FEATURES) == ((), BIND)
    frames, presence = dialect.read(b"<iq xmlns='jabber:client' id='bind' type='result'><bind/></iq>")
    assert frames == (b'{"type":"auth_success"}',)
    assert presence is not None
    assert b'to="tea@conference.localhost/ann"' in presence
    own = b"<presence xmlns='jabber:client'><x><status code='110'/></x></presence>"
    assert dialect.read(own) == ((b'{"type":"subscribed"}',), None)


def test_a_message_goes_to_its_room_with_its_name() -> None:
    written = joined().write(b'{"type":"message","threadId":"tea","clientMessageId":"0-5","content":"hello"}')
    assert b'to="tea@conference.localhost" id="0-5"><body>hello</body>' in written


def test_the_copy_of_ones_own_is_a_message_and_its_ack() -> None:
    facts = b'"clientMessageId":"0-5","seq":77'
    frames, _ = joined().read(copy(b"ann"))
    assert frames == (b'{"type":"message","data":{%s}}' % facts, b'{"type":"message_ack",%s,"status":"sent"}' % facts)


def test_the_copy_of_anothers_is_a_message_only() -> None:
    frames, _ = joined().read(copy(b"bob"))
    assert frames == (b'{"type":"message","data":{"clientMessageId":"0-5","seq":77}}',)


def test_what_was_passed_on_without_being_archived_is_an_error() -> None:
    ((frame,), _) = joined().read(copy(b"ann", archived=b""))
    assert frame == b'{"type":"error","message":"0-5 is not in the archive"}'


def test_the_subject_of_a_room_is_no_message() -> None:
    assert joined().read(b"<message type='groupchat' from='tea@conference.localhost'><subject/></message>") == NOTHING


def test_refusals_are_errors() -> None:
    for refusal in (b"<failure xmlns='x'/>", b"<presence type='error'><x/></presence>", b"<message type='error'/>"):
        ((frame,), _) = joined().read(refusal)
        assert frame.startswith(b'{"type":"error"')


def test_an_attribute_is_looked_for_in_the_first_tag_only() -> None:
    assert attribute(b"<a x='1'><b y='2'/></a>", b"y") == b""
    assert attribute(b"<a ax='0' x='1'><b/></a>", b"x") == b"1"

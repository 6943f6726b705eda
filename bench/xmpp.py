"""XMPP over WebSocket: a thread is a room that keeps an archive, a user a nick in it. Pure.

Sources: RFC 7395 (framing), 6120 (login, binding), XEP-0045 (rooms), 0359 (the archive's id in a message). A room
sends every message to all who are in it, the sender too. That copy is what the sender has as an ack; it counts only
with the archive's id in it, for a room passes on what it could not archive as well.
"""

from bench.fields import text_field

DOMAIN = b"localhost"
ROOMS = b"conference." + DOMAIN
OPEN = b'<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="%s" version="1.0"/>' % DOMAIN
ANONYMOUS = b'<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>'
BIND = b'<iq xmlns="jabber:client" type="set" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>'
PING = b"urn:xmpp:ping"

Reading = tuple[tuple[bytes, ...], bytes | None]
NOTHING: Reading = ((), None)


class Xmpp:
    """Speaks for one user, who joins at most one room."""

    greets = False
    subprotocol: str | None = "xmpp"

    def __init__(self) -> None:
        self._user = self._thread = b""
        self._authenticated = False

    def write(self, frame: bytes) -> bytes:
        """`auth` opens the stream; a message goes to its room."""
        if text_field(frame, b"type") == b"auth":
            self._user, self._thread = text_field(frame, b"userId"), text_field(frame, b"threadId")
            return OPEN
        return b'<message xmlns="jabber:client" type="groupchat" to="%s@%s" id="%s"><body>%s</body></message>' % (
            text_field(frame, b"threadId"),
            ROOMS,
            text_field(frame, b"clientMessageId"),
            text_field(frame, b"content"),
        )

    def read(self, data: bytes) -> Reading:
        """Messages of the room; before them, the steps of logging in and joining."""
        if data.startswith(b"<message"):
            return self._message(data)
        if data.startswith(b"<stream:features"):
            return (), BIND if self._authenticated else ANONYMOUS
        if data.startswith(b"<success"):
            self._authenticated = True
            return (), OPEN
        if data.startswith(b"<iq"):
            return self._query(data)
        if data.startswith(b"<presence") and b"code='110'" in data:  # our own, after everybody's
            return (b'{"type":"subscribed"}',), None
        if data.startswith((b"<failure", b"<close", b"<stream:error")) or attribute(data, b"type") == b"error":
            return (_error(data),), None
        return NOTHING

    def _query(self, data: bytes) -> Reading:
        if attribute(data, b"id") == b"bind" and attribute(data, b"type") == b"result":
            return (b'{"type":"auth_success"}',), self._join() if self._thread else None
        if PING in data:
            return (), b'<iq xmlns="jabber:client" type="result" id="%s"/>' % attribute(data, b"id")
        return NOTHING

    def _join(self) -> bytes:
        return (
            b'<presence xmlns="jabber:client" to="%s@%s/%s"><x xmlns="http://jabber.org/protocol/muc">'
            b'<history maxstanzas="0"/></x></presence>'
        ) % (self._thread, ROOMS, self._user)

    def _message(self, data: bytes) -> Reading:
        kind = attribute(data, b"type")
        if kind == b"error":
            return (_error(data),), None
        name = attribute(data, b"id")
        if kind != b"groupchat" or not name or b"<body" not in data:  # the room's subject
            return NOTHING
        place = data.find(b"<stanza-id ")
        if place < 0:
            return (b'{"type":"error","message":"%s is not in the archive"}' % name,), None
        facts = b'"clientMessageId":"%s","seq":%s' % (name, attribute(data[place:], b"id"))
        frame = b'{"type":"message","data":{%s}}' % facts
        if attribute(data, b"from").rpartition(b"/")[2] == self._user:
            return (frame, b'{"type":"message_ack",%s,"status":"sent"}' % facts), None
        return (frame,), None


def attribute(data: bytes, name: bytes) -> bytes:
    """The value of that attribute of the first tag, b"" when it has none."""
    end = data.find(b">")
    start = data.find(b" " + name + b"='", 0, end)
    if start < 0:
        return b""
    start += len(name) + 3
    return data[start : data.find(b"'", start)]


def _error(data: bytes) -> bytes:
    return b'{"type":"error","message":"%s"}' % data[:300].replace(b"\\", b"").replace(b'"', b"'")

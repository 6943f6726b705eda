"""WebSocket under uvicorn: the only file that knows the shape of uvicorn's `--ws` protocol class and picows' inner
constructor (picows 2.3.1 and uvicorn 0.54 are pinned; test_ws_handshake holds the shape).

Promises: uvicorn hands over an upgrade request and its transport; from there picows parses frames in the transport's
own buffer and calls back, without a task per socket. Refusals come before accept. Compression is never negotiated.
Frames above the limit end with 1009, binary ones with 1003, text that is not UTF-8 with 1007, anything unmasked,
reserved or out of place with 1002. Writing is the connection's business, straight to the transport.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvicorn
from picows.common import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import (  # type: ignore[attr-defined] # its stubs leave WSProtocol out
    WSAutoPingStrategy,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocol,
    WSTransport,
)
from uvicorn.server import ServerState

from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_gateway.admission import bearer_token
from chatterbus_gateway.connection import Connection
from chatterbus_gateway.fragments import INVALID_TEXT, PROTOCOL_ERROR, Fragments, Malformed

if TYPE_CHECKING:
    from chatterbus_gateway.gateway import Gateway

log: Final = structlog.stdlib.get_logger(__name__)

HANDSHAKE_TIMEOUT_S: Final = 5.0
READ_BUFFER_BYTES: Final = 2_048  # at first; picows grows it with the frames that come
PONG: Final = WSMsgType.PONG
PING: Final = WSMsgType.PING
CLOSE: Final = WSMsgType.CLOSE
TEXT: Final = WSMsgType.TEXT


class ParserLog:
    """What picows logs to, one per socket. It says here, and nowhere else, that it is about to close the socket itself:
    at the peer's faults against the protocol, and at exceptions out of a callback, which are ours."""

    __slots__ = ("connection",)

    def __init__(self) -> None:
        self.connection: Connection | None = None

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - the name logging gave it
        return False

    def debug(self, *_: object, **__: object) -> None:
        """Not wanted."""

    log = info = warning = debug

    def error(self, *_: object, **__: object) -> None:
        """The peer broke the protocol."""
        if self.connection is not None:
            self.connection.is_being_closed()

    def exception(self, message: str, *_: object, **__: object) -> None:
        """A callback failed."""
        log.exception("websocket callback failed", detail=message)
        self.error()


class SocketListener(WSListener):
    """Frames of one socket, as picows found them."""

    def __init__(self, gateway: Gateway, parser_log: ParserLog, address: str, token: str | None) -> None:
        self._gateway = gateway
        self._parser_log = parser_log
        self._address = address
        self._token = token
        self._fragments: Fragments | None = None
        self._connection: Connection | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was accepted."""
        self._connection = connection = self._gateway.accept(transport.underlying_transport, self._address)
        self._parser_log.connection = connection
        token, self._token = self._token, None
        for half in (transport.request, transport.response):
            half.headers.clear()  # of no use any more; they hold the token, and memory
        if token is not None:
            connection.session.start_with_token(token)

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """One frame, valid only during the call."""
        if frame.msg_type is not TEXT or not frame.fin or self._fragments is not None or _is_reserved(frame):
            self._on_other_frame(frame)
            return
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            self._connection.broke_protocol(INVALID_TEXT, "text that is not UTF-8")  # type: ignore[union-attr]
            return
        self._connection.received(text)  # type: ignore[union-attr]

    def _on_other_frame(self, frame: WSFrame) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if _is_reserved(frame):
                raise Malformed(PROTOCOL_ERROR, "reserved bits are set")
            if frame.msg_type is PONG:
                connection.heard()
            elif frame.msg_type is PING:
                connection.pinged(frame.get_payload_as_bytes())
            elif frame.msg_type is CLOSE:
                connection.said_goodbye(_close_code(frame))
            else:
                self._on_fragment(connection, frame)
        except Malformed as error:
            connection.broke_protocol(error.code, error.reason)

    def _on_fragment(self, connection: Connection, frame: WSFrame) -> None:
        connection.heard()
        if self._fragments is None:
            self._fragments = Fragments(FRAME_MAX_BYTES)
        message = self._fragments.add(frame.msg_type.value, frame.get_payload_as_bytes(), bool(frame.fin))
        if message is not None:
            self._fragments = None
            try:
                text = message.decode()
            except UnicodeDecodeError:
                raise Malformed(INVALID_TEXT, "text that is not UTF-8") from None
            connection.received(text)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """The socket is gone."""
        connection, self._connection, self._parser_log.connection = self._connection, None, None
        if connection is not None:
            connection.lost()

    def pause_writing(self) -> None:
        """The transport's buffer is above its limit."""
        if self._connection is not None:
            self._connection.blocked()

    def resume_writing(self) -> None:
        """It has drained."""
        if self._connection is not None:
            self._connection.unblocked()


class SocketProtocol(WSProtocol):  # type: ignore[misc] # an extension type
    """What uvicorn makes for an upgrade request: called with connection_made, then data_received once with the request,
    then set as the transport's protocol, which picows drives through its buffer from there on."""

    def __init__(
        self,
        gateway: Gateway,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._parser_log = ParserLog()
        super().__init__(
            None,  # host_port: of a client
            None,  # ws_path: of a client
            False,  # is_client_side
            self._decide,
            self._parser_log,
            True,  # disconnect_on_exception
            HANDSHAKE_TIMEOUT_S,
            False,  # enable_auto_ping
            0,
            0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: answers are counted and bounded like all we write
            FRAME_MAX_BYTES,
            None,  # extra_headers
            READ_BUFFER_BYTES,
        )
        self._gateway = gateway
        self._connections = server_state.connections
        self._socket: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._socket = transport
        self._connections.add(self)
        policy = self._gateway.policy
        transport.set_write_buffer_limits(high=policy.write_high_bytes)
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, policy.send_buffer_bytes)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """The upgrade request, as uvicorn rebuilt it."""
        rest = memoryview(data)
        while rest:
            room = self.get_buffer(len(rest))
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            self.buffer_updated(size)
            rest = rest[size:]

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def shutdown(self) -> None:
        """uvicorn ends; our own drain has closed what could be closed with a word."""
        if self._socket is not None:
            self._socket.abort()

    def _decide(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        try:
            return self._admitted(request)
        except Exception:
            log.exception("upgrade failed")  # picows would show the exception's text to the client
            return _refused(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _admitted(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener:
        gateway = self._gateway
        peer = self._socket.get_extra_info("peername") if self._socket is not None else None
        address = gateway.admission.address(str(peer[0]) if isinstance(peer, tuple) else "", request.headers)
        path = request.path.decode("latin-1")
        status = gateway.admission.refusal(path, request.headers)
        if status is None and gateway.draining:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        if status is None and not gateway.hub.has_room(address):
            status = HTTPStatus.TOO_MANY_REQUESTS
        if status is not None:
            gateway.counts.connections_refused += 1
            log.info("upgrade refused", status=int(status), address=address)
            return _refused(status)
        return SocketListener(gateway, self._parser_log, address, bearer_token(request.headers))


_PROBLEMS: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.SERVICE_UNAVAILABLE: "DRAINING",
    HTTPStatus.TOO_MANY_REQUESTS: "TOO_MANY_CONNECTIONS",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
}


def _refused(status: HTTPStatus) -> WSUpgradeResponseWithListener:
    body = json.dumps({"title": status.phrase, "status": status.value, "code": _PROBLEMS[status]}).encode()
    headers = {"Content-Type": "application/problem+json", "Connection": "close"}
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, body, headers), None)


def _is_reserved(frame: WSFrame) -> bool:
    return bool(frame.rsv1 or frame.rsv2 or frame.rsv3)


def _close_code(frame: WSFrame) -> int:
    code = frame.get_close_code()
    number = code if isinstance(code, int) else int(code.value)
    return number if number >= 1000 and number not in (1005, 1006) else 1000


def socket_protocol(gateway: Gateway) -> Callable[..., SocketProtocol]:
    """What `uvicorn.Config(ws=...)` wants."""
    return partial(SocketProtocol, gateway)

"""WebSocket under uvicorn: the only file that knows the shape of uvicorn's `--ws` protocol class (uvicorn 0.54 is
pinned; test_ws_frames holds the shape).

Promises: uvicorn hands over an upgrade request and its transport; from there the transport's bytes come here, go
through a picows parser that is borrowed for them (frame_reader.py), and reach the connection; no socket has a task.
Refusals come before accept. Compression is never negotiated. Frames above the limit end with 1009, binary ones with
1003, text that is not UTF-8 with 1007, anything unmasked, reserved or out of place with 1002; after that, and after the
peer's goodbye, nothing more is read. Writing is the connection's business, straight to the transport.
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
from picows.common import WSUpgradeRequest, WSUpgradeResponse
from picows.picows import (  # type: ignore[attr-defined] # its stubs leave the last two out
    WSFrame,
    WSMsgType,
    _parse_http_request,
    _validate_upgrade_request,
)
from uvicorn.server import ServerState

from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_gateway.admission import bearer_token
from chatterbus_gateway.connection import Connection
from chatterbus_gateway.fragments import INVALID_TEXT, PROTOCOL_ERROR, Fragments, Malformed
from chatterbus_gateway.frame_reader import FrameReader

if TYPE_CHECKING:
    from chatterbus_gateway.gateway import Gateway

log: Final = structlog.stdlib.get_logger(__name__)

PONG: Final = WSMsgType.PONG
PING: Final = WSMsgType.PING
CLOSE: Final = WSMsgType.CLOSE
TEXT: Final = WSMsgType.TEXT
_HEAD_END: Final = b"\r\n\r\n"


class SocketProtocol(asyncio.Protocol):
    """What uvicorn makes for an upgrade request: called with connection_made, then data_received once with the request,
    then set as the transport's protocol. Thousands of them idle: what one holds is counted."""

    __slots__ = ("_connection", "_connections", "_fragments", "_gateway", "_is_deaf", "_reader", "_transport")

    def __init__(
        self,
        gateway: Gateway,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._gateway = gateway
        self._connections: set[Any] = server_state.connections
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._reader: FrameReader | None = None  # while something is half-read
        self._fragments: Fragments | None = None
        self._is_deaf = False  # nothing more is read

    # --- from the transport ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """uvicorn hands over the socket."""
        self._transport = transport
        self._connections.add(self)
        policy = self._gateway.policy
        transport.set_write_buffer_limits(high=policy.write_high_bytes)
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, policy.send_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """The upgrade request, as uvicorn rebuilt it; frames from then on."""
        connection, is_deaf = self._connection, self._is_deaf
        if is_deaf:
            return
        if connection is None:
            self._upgrade(data)
            return
        readers = self._gateway.readers
        reader = self._reader or readers.lend(self)
        reader.feed(data)
        if reader.fault is not None:
            self._stop_reading()
            connection.broke_parser(reader.fault.code, reader.fault.reason)
        elif self._is_deaf:
            self._reader = None  # the parser has seen a goodbye, and would take the next for a second one
        elif reader.is_empty:
            self._reader = None
            readers.take_back(reader)
        else:
            self._reader = reader

    def connection_lost(self, _error: Exception | None) -> None:
        """The socket is gone."""
        self._connections.discard(self)
        connection, self._connection = self._connection, None
        self._stop_reading()
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

    def shutdown(self) -> None:
        """uvicorn ends; our own drain has closed what could be closed with a word."""
        if self._transport is not None:
            self._transport.abort()

    def _stop_reading(self) -> None:
        self._is_deaf = True
        self._reader = None
        self._fragments = None

    # --- frames ------------------------------------------------------------------------------------------------------

    def on_frame(self, frame: WSFrame) -> None:
        """See Owner."""
        connection = self._connection
        if self._is_deaf or connection is None:
            return
        if (
            frame.msg_type is not TEXT
            or not frame.fin
            or self._fragments is not None
            or frame.rsv1
            or frame.rsv2
            or frame.rsv3
        ):
            self._on_other_frame(connection, frame)
            return
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            connection.broke_protocol(INVALID_TEXT, "text that is not UTF-8")
            return
        connection.received(text)

    def _on_other_frame(self, connection: Connection, frame: WSFrame) -> None:
        try:
            if frame.rsv1 or frame.rsv2 or frame.rsv3:
                raise Malformed(PROTOCOL_ERROR, "reserved bits are set")
            if frame.msg_type is PONG:
                connection.heard()
            elif frame.msg_type is PING:
                connection.pinged(frame.get_payload_as_bytes())
            elif frame.msg_type is CLOSE:
                self._stop_reading()
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

    # --- upgrade -----------------------------------------------------------------------------------------------------

    def _upgrade(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            response, address, token = self._decided(_parse_http_request(data.partition(_HEAD_END)[0]))
        except RuntimeError:
            response, address, token = _refused(HTTPStatus.BAD_REQUEST), "", None
        except Exception:
            log.exception("upgrade failed")
            response, address, token = _refused(HTTPStatus.INTERNAL_SERVER_ERROR), "", None
        transport.write(response.to_bytes())
        if response.status is not HTTPStatus.SWITCHING_PROTOCOLS:
            self._is_deaf = True
            transport.close()
            return
        self._connection = self._gateway.accept(transport, address)
        if token is not None:
            self._connection.session.start_with_token(token)

    def _decided(self, request: WSUpgradeRequest) -> tuple[WSUpgradeResponse, str, str | None]:
        """What to answer, the client's address, and the token that it brought. Raises RuntimeError when the request is
        no upgrade."""
        gateway = self._gateway
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
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
            return _refused(status), address, None
        if any(token.strip().lower() == "upgrade" for token in request.headers.get("Connection", "").split(",")):
            request.headers["Connection"] = "upgrade"  # picows knows it alone; Firefox says "keep-alive, Upgrade"
        response: WSUpgradeResponse = WSUpgradeResponse.create_101_response()
        response.headers["Sec-WebSocket-Accept"] = _validate_upgrade_request(request).decode()
        return response, address, bearer_token(request.headers)


_PROBLEMS: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.SERVICE_UNAVAILABLE: "DRAINING",
    HTTPStatus.TOO_MANY_REQUESTS: "TOO_MANY_CONNECTIONS",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
}


def _refused(status: HTTPStatus) -> WSUpgradeResponse:
    body = json.dumps({"title": status.phrase, "status": status.value, "code": _PROBLEMS[status]}).encode()
    headers = {"Content-Type": "application/problem+json", "Connection": "close"}
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(status, body, headers)
    return response


def _close_code(frame: WSFrame) -> int:
    code = frame.get_close_code()
    number = code if isinstance(code, int) else int(code.value)
    return number if number >= 1000 and number not in (1005, 1006) else 1000


def socket_protocol(gateway: Gateway) -> Callable[..., SocketProtocol]:
    """What `uvicorn.Config(ws=...)` wants."""
    return partial(SocketProtocol, gateway)

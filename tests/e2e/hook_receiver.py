"""A product's server: takes webhooks, checks their signatures with code of its own, and can fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
SECRET: Final = b"a secret of these tests, 32 bytes"
ACCEPTED: Final = 204
UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that was taken."""

    id: str
    type: str
    data: dict[str, Any]
    is_signed: bool


class HookReceiver:
    """Listens on a port of its own; in a thread, so that it outlives the event loop of a test. `name`: how those who
    deliver call the machine.
    """

    def __init__(self, address: str = LOOPBACK, name: str = LOOPBACK) -> None:
        self._name = name
        self.deliveries: list[Delivery] = []
        self._failures: list[str] | None = None
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        """What tells the notifier to deliver here."""
        return {
            "NOTIFIER_WEBHOOK_URL": f"http://{self._name}:{self._port}/hooks",
            "NOTIFIER_WEBHOOK_SECRET": "whsec_" + base64.b64encode(SECRET).decode(),
            "NOTIFIER_WEBHOOK_EVENTS": "message.missed,message.created",
            "NOTIFIER_WEBHOOK_ALLOW_PRIVATE": "true",
        }

    def of(self, kind: str, **values: str) -> list[Delivery]:
        """Events of a type whose data have these values, each once, in the order of their arrival."""
        found = {
            delivery.id: delivery
            for delivery in self.deliveries
            if delivery.type == kind and values.items() <= delivery.data.items()
        }
        return list(found.values())

    @contextmanager
    def failing(self) -> Iterator[list[str]]:
        """Nothing is taken: each attempt is answered with 503. The ids of those that were made."""
        self._failures = failures = []
        try:
            yield failures
        finally:
            self._failures = None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """A request came; the status of its answer."""
        if self._failures is not None:
            self._failures.append(headers["webhook-id"])
            return UNAVAILABLE
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        event = json.loads(body)
        is_signed = f"v1,{expected}" in headers["webhook-signature"].split(" ")
        self.deliveries.append(Delivery(headers["webhook-id"], event["type"], event["data"], is_signed))
        return ACCEPTED

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler

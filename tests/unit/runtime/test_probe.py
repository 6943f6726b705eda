"""The health check of the images."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chatterbus_runtime.probe import ask, main
from tests.kit.nats_server import free_port


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """The port of a server that answers /readyz so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (403, False), (500, False)])
def test_only_200_is_ready(status: int, ready: bool) -> None:
    with answering(status, b'{"ready":1}\n') as port:
        assert ask(port)[0] is ready


def test_it_passes_on_what_the_service_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(503, b'{"nats":"not connected"}') as port:
        monkeypatch.setenv("SOME_PORT", str(port))
        assert main("SOME_PORT") == 1
    assert capsys.readouterr().out == '{"nats":"not connected"}\n'


def test_nobody_there_is_not_ready(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PORT", str(free_port()))
    assert main("SOME_PORT") == 1
    assert "refused" in capsys.readouterr().out


def test_without_its_variable_it_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_PORT", raising=False)
    assert main("SOME_PORT") == 1

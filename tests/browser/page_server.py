"""A product's web server: the pages of a folder, at an origin of their own, under a strict Content-Security-Policy.

Promises: what runs in a page comes from that server or from the one gateway it names; anything else is a violation
that the page counts.
"""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType


class PageServer:
    """Serves `folder` on 127.0.0.1 for as long as the block lasts."""

    def __init__(self, folder: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(folder)))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> PageServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Pages(SimpleHTTPRequestHandler):
    # Gateways, and the proxies before them, are at ports nobody knows in advance.
    POLICY = (
        "default-src 'none'; script-src 'self' http://127.0.0.1:*; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src http://127.0.0.1:* ws://127.0.0.1:*; base-uri 'none'; form-action 'none'"
    )

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", self.POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the tests' output is for their failures."""

"""The browser's files: the SDK below /chatterbus/ and, in development mode, the demo page at /.

Promises: only files that were found below two folders are served, by their exact names, so no path leads elsewhere and
nothing lists a folder; each has its type and says `nosniff`; a browser asks again each time and hears 304 while nothing
changed, so a deploy shows at the next load. The demo runs without inline script, inline style or anything from
elsewhere, and cannot be framed.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chatterbus_web import client_files, demo_files

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
COMMON: Final = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",  # CORS adds Origin
}
# Pictures of messages are blob: URLs, for they are fetched with the token.
POLICY: Final = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PAGE_ONLY: Final = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}


class File(NamedTuple):
    """A file as it is sent."""

    body: bytes
    packed: bytes
    etag: str
    media_type: str


class Folder:
    """The files below `root`, in memory. `live`: looks at the folder each time, for those who are changing them."""

    def __init__(self, root: Path, *, live: bool) -> None:
        self._root = root
        self._live = live
        self._seen = self._look()
        self._files = self._read()

    def file(self, name: str) -> File | None:
        """The file of that name, `core/client.js` say."""
        if self._live and (now := self._look()) != self._seen:
            self._seen = now
            self._files = self._read()
        return self._files.get(name)

    def _look(self) -> dict[Path, tuple[int, int]]:
        return {path: (about.st_mtime_ns, about.st_size) for path in self._paths() for about in (path.stat(),)}

    def _paths(self) -> Iterator[Path]:
        found = sorted(self._root.rglob("*"))
        return (path for path in found if path.suffix in TYPES and path.is_file() and not path.is_symlink())

    def _read(self) -> dict[str, File]:
        return {path.relative_to(self._root).as_posix(): _file(path) for path in self._seen}


def page_routes(*, demo: bool) -> list[Route]:
    """The SDK's addresses and, with `demo`, the demo's, whose files are looked at each time."""
    sdk = Folder(client_files(), live=demo)

    async def module(request: Request) -> Response:
        return _answer(request, sdk.file(request.path_params["name"]))

    routes = [Route("/chatterbus/{name:path}", module, include_in_schema=False)]
    if not demo:
        return routes
    page = Folder(demo_files(), live=True)

    async def index(request: Request) -> Response:
        return _answer(request, page.file("index.html"))

    async def part(request: Request) -> Response:
        return _answer(request, page.file(request.path_params["name"]))

    return [
        Route("/", index, include_in_schema=False),
        Route("/demo/{name:path}", part, include_in_schema=False),
        *routes,
    ]


def _answer(request: Request, file: File | None) -> Response:
    if file is None:
        raise HTTPException(404)
    headers = COMMON | {"ETag": file.etag}
    if file.media_type.startswith("text/html"):
        headers |= PAGE_ONLY
    if _has(request, file.etag):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(file.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)


def _has(request: Request, etag: str) -> bool:
    known = [each.strip() for each in request.headers.get("If-None-Match", "").split(",")]
    return etag in known or "*" in known


def _file(path: Path) -> File:
    body = path.read_bytes()
    # Of the content, not of its date: every gateway has the same one. Weak, for packed or not is the same file.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, gzip.compress(body, mtime=0), etag, TYPES[path.suffix])

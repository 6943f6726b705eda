"""An outbox in a file: messages posted survive kill -9 and are sent by the next client that opens the file.

Promises: one JSON value a line, append-only: a message (`{"put": {...}}`) or the id of one that is done
(`{"done": "..."}`). `put` returns after fsync; `done` is not synced, for the worst it costs is one more send of a
message that the server knows already. A torn last line, left by a kill at any byte, is cut off; any other line that
cannot be read is passed over and counted in the log. Compacted when opened and when more than COMPACT_AFTER lines are
dead: written aside, synced, renamed. One client at a time (a lock beside the file). Readable by its owner only.
Does not promise to know whose messages they are: keep one file per user.
"""

import contextlib
import logging
import os
import sys
from io import FileIO
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from chatterbus_client.errors import OutboxBusy
from chatterbus_contracts.codec import DecodeError, decode_object, encode_json, parse_json
from chatterbus_contracts.frames.client import SendMessage

if sys.platform != "win32":
    import fcntl

COMPACT_AFTER: Final = 1_000
OWNER_ONLY: Final = 0o600

_SEND: Final[TypeAdapter[SendMessage]] = TypeAdapter(SendMessage)
log = logging.getLogger(__name__)


class FileOutbox:
    """See the module. `path` and its directory are created when missing."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: FileIO | None = None
        self._lock: FileIO | None = None
        self._live: dict[str, bytes] = {}
        self._dead_lines = 0

    def open(self) -> list[SendMessage]:
        """See OutboxStore."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            frames, unreadable = _read(self._path.read_bytes() if self._path.exists() else b"")
            if unreadable:
                log.warning("outbox %s: %d lines could not be read and were passed over", self._path, unreadable)
            self._live = {str(frame.client_message_id): _line(frame) for frame in frames}
            self._compact()
        except BaseException:
            self.close()
            raise
        return frames

    def put(self, frame: SendMessage) -> None:
        """See OutboxStore. Blocks for one fsync."""
        line = _line(frame)
        file = self._append(line)
        os.fsync(file.fileno())
        self._live[str(frame.client_message_id)] = line

    def remove(self, client_message_id: str) -> None:
        """See OutboxStore."""
        if self._live.pop(client_message_id, None) is None:
            return
        self._append(encode_json({"done": client_message_id}) + b"\n")
        self._dead_lines += 2
        if self._dead_lines > COMPACT_AFTER + 2 * len(self._live):
            self._compact()

    def close(self) -> None:
        """See OutboxStore."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    def _append(self, line: bytes) -> FileIO:
        if self._file is None:
            raise OutboxBusy(f"the outbox {self._path} is not open")
        start = self._file.tell()
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"wrote {written} of {len(line)} bytes to the outbox {self._path}")
        except OSError:
            # A full disk leaves half a line, which would swallow the next one.
            with contextlib.suppress(OSError):
                self._file.truncate(start)
                self._file.seek(start)
            raise
        return self._file

    def _take_lock(self) -> None:
        if self._lock is not None:
            raise OutboxBusy(f"the outbox {self._path} is used by another client")
        lock = FileIO(os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, OWNER_ONLY), "r+")
        if sys.platform != "win32":  # elsewhere "one client at a time" is the caller's promise
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise OutboxBusy(f"the outbox {self._path} is used by another process") from None
        self._lock = lock

    def _compact(self) -> None:
        aside = self._path.with_name(self._path.name + ".new")
        file = FileIO(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "r+")
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(file.close)
            content = b"".join(self._live.values())
            if file.write(content) != len(content):
                raise OSError(f"could not write all of {aside}")
            os.fsync(file.fileno())
            aside.replace(self._path)
            _sync_directory(self._path.parent)
            on_failure.pop_all()
        if self._file is not None:
            self._file.close()
        self._file = file
        self._dead_lines = 0


def _line(frame: SendMessage) -> bytes:
    return encode_json({"put": frame.model_dump(mode="json", by_alias=True, exclude_none=True)}) + b"\n"


def _read(data: bytes) -> tuple[list[SendMessage], int]:
    frames: dict[str, SendMessage] = {}
    unreadable = 0
    *lines, _torn = data.split(b"\n")
    for line in lines:
        try:
            entry = parse_json(line)
            if "done" in entry:
                frames.pop(entry["done"], None)
            else:
                frame = decode_object(_SEND, entry["put"])
                frames[str(frame.client_message_id)] = frame
        except (DecodeError, TypeError, KeyError):
            unreadable += 1
    return list(frames.values()), unreadable


def _sync_directory(directory: Path) -> None:
    if sys.platform != "win32":  # Windows cannot open a directory
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Many processes' output as one readable log. Pure.

A service's JSON line becomes `time name level event key=value`; PostgreSQL's and nats-server's own formats are parsed
for their level; anything else is shown as it is. Control characters are shown escaped: a log line may quote what a
stranger sent, and a terminal obeys what it is sent. PostgreSQL's and nats-server's chatter below `warning` is shown
at log level `debug` only.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

MAX_LINE_BYTES = 16 * 1024
"""A longer line is cut there and marked: one runaway line must not fill memory or the terminal."""

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
EXPECTED = ("Plaintext passwords detected",)
"""Warnings about what we do on purpose: the password in nats.conf is in a 0600 file and guards a loopback port."""
INFRASTRUCTURE = ("postgres", "nats", "initdb")
LEVEL_WORDS = {
    "trc": "debug", "dbg": "debug", "inf": "info", "wrn": "warning", "err": "error", "ftl": "critical",
    "log": "info", "notice": "info", "info": "info", "detail": "info", "hint": "info", "statement": "info",
    "context": "info", "warn": "warning", "warning": "warning", "error": "error", "exception": "error",
    "fatal": "error", "panic": "critical", "critical": "critical", "debug": "debug",
}  # fmt: skip
POSTGRES_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \S+ \[\d+\] ([A-Z]+\d?):\s+(.*)$")
NATS_LINE = re.compile(r"^\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+ \[([A-Z]{3})\] (.*)$")
TIME_KEYS = ("timestamp", "time", "ts")
EVENT_KEYS = ("event", "msg", "message")
TRACE_KEYS = ("exception", "traceback", "stack")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

COLOURS = {"up": "1", "postgres": "33", "nats": "34", "persister": "32", "notifier": "35", "gateway": "36"}
LEVEL_COLOURS = {"debug": "2", "warning": "33", "error": "31", "critical": "1;31"}
NAME_WIDTH = 11


@dataclass(frozen=True)
class LogLine:
    """One parsed line. `level` None: the line has none (a traceback, a print), and is always shown."""

    event: str
    level: str | None = None
    fields: dict[str, object] = field(default_factory=dict)
    trace: str = ""


def parse(line: str) -> LogLine:
    if line.startswith("{"):
        try:
            return _from_json(json.loads(line))
        except ValueError:
            return LogLine(line)
    for pattern in (POSTGRES_LINE, NATS_LINE):
        match = pattern.match(line)
        if match:
            return LogLine(match.group(2), LEVEL_WORDS.get(match.group(1).lower().rstrip("12345"), "info"))
    return LogLine(line)


def is_shown(source: str, line: LogLine, level: str) -> bool:
    """Whether a reader who asked for `level` sees this line."""
    if line.level is None:
        return True
    if line.event.startswith(EXPECTED):
        return level == "debug"
    threshold = LEVELS[level]
    if source in INFRASTRUCTURE and level != "debug":
        threshold = max(threshold, LEVELS["warning"])
    return LEVELS[line.level] >= threshold


def for_people(source: str, line: LogLine, at: datetime, *, colour: bool) -> str:
    """One line for a terminal (more only for a trace), without its line break."""
    paint = _paint if colour else _plain
    name = paint(source.ljust(NAME_WIDTH), COLOURS.get(source.rstrip("0123456789").rstrip("-"), "37"))
    words = [paint(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", "2"), name]
    if line.level:
        words.append(paint(line.level.ljust(7), LEVEL_COLOURS.get(line.level, "")))
    words.append(printable(line.event))
    words += [f"{paint(printable(key) + '=', '2')}{_value(value)}" for key, value in line.fields.items()]
    trace = "".join(f"\n    {printable(row)}" for row in line.trace.splitlines())
    return " ".join(words) + trace


def for_machines(source: str, line: LogLine, at: datetime) -> str:
    """One JSON object: when it was read, which child wrote it, and what it said."""
    head = {"time": at.isoformat(timespec="milliseconds"), "source": source, "level": line.level, "event": line.event}
    tail = {"exception": line.trace} if line.trace else {}
    return json.dumps({**line.fields, **head, **tail}, ensure_ascii=False, default=str)


def printable(text: str) -> str:
    """The text with control and direction-changing characters escaped, so that it cannot drive a terminal."""
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


class LineSplitter:
    """Bytes in, whole lines out, in bounded memory: a line past the limit is cut, and the rest of it dropped."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = b""
        self._dropping = False

    def feed(self, data: bytes) -> list[str]:
        *whole, rest = (self._rest + data).split(b"\n")
        lines = []
        for line in whole:
            if self._dropping:
                self._dropping = False
            else:
                lines.append(self._text(line))
        if self._dropping:
            rest = b""
        elif len(rest) > self._limit:
            lines.append(self._text(rest))
            rest, self._dropping = b"", True
        self._rest = rest
        return lines

    def end(self) -> list[str]:
        """The last line of a process that ended without a line break."""
        rest, self._rest = self._rest, b""
        return [self._text(rest)] if rest else []

    def _text(self, line: bytes) -> str:
        text = line[: self._limit].decode("utf-8", "replace").rstrip("\r")
        return text + " … (line cut)" if len(line) > self._limit else text


def _from_json(raw: object) -> LogLine:
    if not isinstance(raw, dict):
        raise ValueError("not an object")
    fields = {str(key): value for key, value in raw.items() if key not in TIME_KEYS}
    level = LEVEL_WORDS.get(str(fields.pop("level", "info")).lower(), "info")
    event = next((str(fields.pop(key)) for key in EVENT_KEYS if key in fields), "")
    trace = next((str(fields.pop(key)) for key in TRACE_KEYS if key in fields), "")
    return LogLine(event, level, fields, trace)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(printable(text), ensure_ascii=False) if " " in text or not text else printable(text)


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _plain(text: str, code: str) -> str:
    return text

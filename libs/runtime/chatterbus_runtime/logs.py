"""Structured logs on stdout: one event, one line.

Promises: everything that logs (structlog, and the libraries through `logging`) comes out in one format; values under
keys that name secrets or bodies are replaced; a line break in a value cannot forge a line; request paths with query
strings (tokens end up there) are not logged. It cannot see a secret inside a sentence: pass values as keys.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"
SENSITIVE: Final = frozenset(
    {
        "token",
        "tokens",
        "ticket",
        "tickets",
        "secret",
        "secrets",
        "password",
        "passwords",
        "authorization",
        "content",
        "payload",
    }
)
# A key that says how much, not what: payload_bytes, token_count.
MEASURES: Final = frozenset({"bytes", "count", "length", "size", "type", "limit", "s", "ms"})
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_sensitive(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return not SENSITIVE.isdisjoint(words) and words[-1] not in MEASURES


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of sensitive keys, at any depth of mappings and lists."""
    return {key: REDACTED if is_sensitive(str(key)) else _redact_value(value) for key, value in event.items()}


def _redact_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: REDACTED if is_sensitive(str(key)) else _redact_value(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_redact_value(item) for item in value]
    return value


def escape_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """For the console: make control characters of the sentence visible, and mark every line of a traceback."""
    event["event"] = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], str(event.get("event", "")))
    if "exception" in event:
        event["exception"] = "\n".join(f"  | {line}" for line in str(event["exception"]).splitlines())
    return event


class NoQueryStrings(logging.Filter):
    """Drops uvicorn's lines on accepted and refused WebSockets: they carry the path with its query string."""

    def filter(self, record: logging.LogRecord) -> bool:
        return '"WebSocket %s"' not in str(record.msg)


def configure_logging(service: str, level: str = "info", fmt: Literal["json", "console"] = "json") -> None:
    """Route all logging of this process to stdout. Call once, first of all."""

    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact]
    if fmt == "json":
        final += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=0)
        final += [structlog.processors.format_exc_info, escape_event, renderer]

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "nats", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False
    access.disabled = True
    errors = logging.getLogger("uvicorn.error")
    if not any(isinstance(existing, NoQueryStrings) for existing in errors.filters):
        errors.addFilter(NoQueryStrings())

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

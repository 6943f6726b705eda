"""Times as the protocol writes them: UTC, ISO 8601 with milliseconds. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(unix_s: float) -> str:
    """Unix seconds as `2026-01-31T12:00:00.000Z`; what lies beyond the calendar becomes its end."""
    try:
        at = datetime.fromtimestamp(unix_s, UTC)
    except (OverflowError, ValueError, OSError):
        at = datetime.max.replace(tzinfo=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

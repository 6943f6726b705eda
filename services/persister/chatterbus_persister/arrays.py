"""Columns as PostgreSQL array literals.

Promises: for any text without U+0000, `text_array` is read back by PostgreSQL as the same texts. Written by hand
because the driver's own list adaptation costs a Python call per element, and the hot path sends a dozen columns of a
thousand rows.
"""

from collections.abc import Iterable


def text_array(values: Iterable[str | None]) -> str:
    """A text[] literal: every element quoted, None as NULL."""
    return (
        "{"
        + ",".join(
            "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values
        )
        + "}"
    )


def int_array(values: Iterable[int | None]) -> str:
    """A bigint[] literal."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def bool_array(values: Iterable[bool]) -> str:
    """A boolean[] literal."""
    return "{" + ",".join("t" if value else "f" for value in values) + "}"

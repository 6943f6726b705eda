"""Which schema this program needs, and what to think of the one that is there. Pure, but for listing the steps' names.

Steps of the schema are of two kinds, in two folders of `migrations/`: those `before` a rollout only add, so that the
version that is still running goes on with them; those `after` it take away what only that version used. A step is named
by its number (`0005`, `after_0001`), so names sort in the order of the steps.

Promises: a schema that newer steps have only added to is fine; one that lacks a step, or has lost what this program
uses, is not, and the reason says what to do. Applies nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final, Self

import psycopg

MIGRATIONS: Final = Path(__file__).parent / "migrations"
FOLDERS: Final = {"before": "versions", "after": "after"}
AFTER_PREFIX: Final = "after_"
READ_STEPS: Final = "SELECT version_num FROM alembic_version"


class Fit(Enum):
    """How a schema suits a program."""

    FITS = auto()
    AHEAD = auto()  # steps before a newer version's rollout have been applied: they only add
    BEHIND = auto()
    STRIPPED = auto()  # a step after a newer version's rollout has been applied: it took something away


class SchemaUnfitError(Exception):
    """The schema is not one that this program can work with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The last step of either kind; empty when there is none."""

    before: str = ""
    after: str = ""

    @classmethod
    def applied(cls, names: Iterable[str]) -> Self:
        """Of a database, by what its table `alembic_version` holds."""
        rows = frozenset(names)
        after = frozenset(name for name in rows if name.startswith(AFTER_PREFIX))
        return cls(max(rows - after, default=""), max(after, default=""))

    @classmethod
    def shipped(cls, migrations: Path = MIGRATIONS) -> Self:
        """Of this program, by the names of its files."""
        before, after = (sorted((migrations / FOLDERS[phase]).glob("*[0-9]_*.py")) for phase in ("before", "after"))
        return cls(
            before[-1].stem.partition("_")[0] if before else "",
            "_".join(after[-1].stem.split("_")[:2]) if after else "",
        )

    @property
    def number(self) -> int:
        """Of the last step before a rollout."""
        return int(self.before or 0)

    def fit(self, needed: Steps) -> Fit:
        """How a database that has these steps suits a program that ships `needed`."""
        if self.after > needed.after:
            return Fit.STRIPPED
        if self.before < needed.before:
            return Fit.BEHIND
        return Fit.AHEAD if self.before > needed.before else Fit.FITS


def require_usable(applied: Steps, needed: Steps) -> None:
    """Raise SchemaUnfitError when a program that ships `needed` must not work with this schema."""
    match applied.fit(needed):
        case Fit.BEHIND:
            there = f"is at step {applied.before}" if applied.before else "is empty"
            raise SchemaUnfitError(
                f"the schema {there} and this version needs {needed.before}: run `chatterbus migrate --before`"
            )
        case Fit.STRIPPED:
            raise SchemaUnfitError(
                f"a newer version's step {applied.after} has removed what this version uses: run the newer version"
            )
        case Fit.FITS | Fit.AHEAD:
            return


async def require_schema(connection: psycopg.AsyncConnection, needed: Steps) -> None:
    """Raise SchemaUnfitError unless the database behind `connection` is usable."""
    try:
        cursor = await connection.execute(READ_STEPS)
        names = [name for (name,) in await cursor.fetchall()]
    except psycopg.errors.UndefinedTable:
        names = []
    require_usable(Steps.applied(names), needed)

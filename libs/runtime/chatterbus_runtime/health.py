"""Whether this process should be sent work.

Promises: ready only while every named check is ok and the process is not draining; a check that was declared and never
set counts as not ok, so a process is not ready before it has started; a check that turns is logged once, with its
reason. Decides nothing about being alive: that is answered by answering at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

log: Final = structlog.stdlib.get_logger(__name__)

NOT_STARTED: Final = "not started"


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    detail: str = ""


class Health:
    """Named checks, each ok or not, with a sentence for the operator."""

    __slots__ = ("_checks", "_draining")

    def __init__(self, *expected: str) -> None:
        self._checks: dict[str, Check] = {name: Check(ok=False, detail=NOT_STARTED) for name in expected}
        self._draining = False

    def set(self, name: str, ok: bool, detail: str = "") -> None:
        former = self._checks.get(name)
        self._checks[name] = Check(ok, detail)
        if not ok and (former is None or former.ok or former.detail == NOT_STARTED):
            log.warning("not ready", check=name, reason=detail)
        elif ok and former is not None and not former.ok and former.detail != NOT_STARTED:
            log.info("ready again", check=name)

    @property
    def draining(self) -> bool:
        return self._draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._draining = value

    @property
    def ready(self) -> bool:
        return not self._draining and all(check.ok for check in self._checks.values())

    def report(self) -> dict[str, object]:
        """JSON-ready: {ready, draining, checks: {name: {ok, detail}}}."""
        return {
            "ready": self.ready,
            "draining": self._draining,
            "checks": {name: {"ok": check.ok, "detail": check.detail} for name, check in self._checks.items()},
        }

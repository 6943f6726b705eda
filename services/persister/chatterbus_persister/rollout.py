"""Whether a rollout has come to its end: nothing works with the database that was made for an older schema.

Every persister says by two shared advisory locks of its ledger session that it is there, and which step of the schema
it was made for. The locks go with the session, so a process that died is not waited for; one of a version that took no
such second lock counts as older. Promises: waits for no longer than asked, and then says how many are left.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from sqlalchemy import Connection, text

log: Final = structlog.get_logger(__name__)

INSTANCES_LOCK: Final = 0x6362_0001
VERSIONS_LOCK: Final = 0x6362_0003
LOOK_EVERY_S: Final = 0.5

OLDER_INSTANCES: Final = text("""
SELECT count(*) FROM (
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND classid IN (CAST(:instances AS int)::oid, CAST(:versions AS int)::oid)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY pid
    HAVING bool_or(classid = CAST(:instances AS int)::oid)
       AND NOT coalesce(bool_or(classid = CAST(:versions AS int)::oid AND objid::bigint >= :step), false)
) AS older
""")


class RolloutUnfinishedError(Exception):
    """Persisters of an older version are still at work."""

    def __init__(self, left: int) -> None:
        super().__init__(
            f"{left} persister(s) of an older version are still running, and the steps after a rollout would take away "
            "what they use: finish the rollout, then run --after again"
        )


def until_rolled_out(connection: Connection, step: int, patience_s: float) -> None:
    """Return when no persister works that was made for a schema before `step`. Raises RolloutUnfinishedError."""
    deadline_s = time.monotonic() + patience_s
    told = False
    while True:
        keys = {"instances": INSTANCES_LOCK, "versions": VERSIONS_LOCK, "step": step}
        left = connection.execute(OLDER_INSTANCES, keys).scalar_one()
        connection.rollback()
        if not left:
            return
        if time.monotonic() > deadline_s:
            raise RolloutUnfinishedError(left)
        if not told:
            log.info("waits for persisters of an older version to end", left=left)
            told = True
        time.sleep(LOOK_EVERY_S)

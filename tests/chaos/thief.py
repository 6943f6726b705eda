"""A persister that takes every partition, whoever holds it: for tests of what happens when two believe to own one.

It does not join the others either, so that those who look at the locks see no reason to share.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import psycopg

from chatterbus_persister import statements
from chatterbus_persister.app import service_main
from chatterbus_persister.ledger_session import LedgerSession
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.lifecycle import run
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load

TAKEN: Final[defaultdict[int, set[int]]] = defaultdict(set)  # by session: a new one takes them again


async def _holders(self: LedgerSession) -> dict[int, frozenset[int]]:
    return {self.instance: frozenset(TAKEN[self.instance])}


async def _try_take(self: LedgerSession, partition: int) -> bool:
    TAKEN[self.instance].add(partition)
    return True


async def _release(self: LedgerSession, partition: int) -> None:
    raise psycopg.OperationalError("a thief gives nothing back")


LedgerSession.holders = _holders  # type: ignore[method-assign]
LedgerSession.try_take = _try_take  # type: ignore[method-assign]
LedgerSession.release = _release  # type: ignore[method-assign]
statements.JOIN_INSTANCES = "SELECT NULL, pg_backend_pid()"  # type: ignore[misc]

if __name__ == "__main__":
    settings = load(PersisterSettings)
    configure_logging("persister", settings.log_level, settings.log_format)
    run(service_main(settings))

"""NATS comes back older than the offset, or empty: what was acked stays, what comes is stored, nobody waits for ever.

The persister says so in its log ("new epoch", with the reason) and counts it. The one case where it cannot know, an
older queue that was filled beyond the offset before it looked, is told to senders by TIMEOUT: they ask again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError

from chatterbus_runtime.link_errors import LinkError
from tests.chaos.callers import Callers
from tests.chaos.crowd import THREADS
from tests.chaos.door import Door, open_door
from tests.chaos.figures import Figures
from tests.chaos.rig import Persister, Rig, open_rig
from tests.chaos.scenarios.ledger import begin
from tests.chaos.sizes import Size
from tests.chaos.verdict import verdict
from tests.kit.waiting import until

WHOLE_WITHIN_S: Final = 30.0  # G14
ANSWERED_WITHIN_S: Final = 45.0
PAUSE_S: Final = 0.1
BACKLOG: Final = 3  # commands in each older queue that are applied only after it was copied


@dataclass(slots=True)
class Stand:
    """A rig that is worked on, and a copy of NATS's store of an earlier time."""

    rig: Rig
    door: Door
    crowd: Callers
    persister: Persister
    size: Size

    @property
    def store(self) -> Path:
        return self.rig.home / "nats"

    @property
    def older(self) -> Path:
        return self.rig.home / "older"

    async def keep_older(self) -> None:
        """Copy the store with a backlog in it, and go on until that is far behind."""
        self.persister.signal(15)
        await self.persister.ended()
        await self.until_beyond(BACKLOG)
        self.rig.nats.stop()
        shutil.copytree(self.store / "jetstream", self.older / "jetstream")
        self.rig.nats.start()
        copied = await self.until_beyond(BACKLOG)
        await self.persister.start_again()
        await self.crowd.until_acked(self.size.pick(quick=60, full=400), ANSWERED_WITHIN_S)

        async def is_older() -> bool:  # the acks may all be those of the backlog, which is in the copy
            return all(applied > copied[number] for number, applied in (await self.offsets()).items())

        await until(is_older, ANSWERED_WITHIN_S, "the copy is older than every offset")

    async def offsets(self) -> dict[int, int]:
        """By partition, up to where commands are applied."""
        return dict(await self.rig.sql("SELECT partition, applied FROM partitions"))

    async def until_beyond(self, count: int) -> dict[int, int]:
        """Each queue is so far beyond the offset: a persister is away, and the callers go on. Their last numbers."""
        jetstream = self.rig.sender.link.jetstream
        offsets = await self.offsets()
        last: dict[int, int] = {}

        async def beyond() -> bool:
            try:
                for number in offsets:
                    last[number] = (await jetstream.stream_info(f"CMD_{number}")).state.last_seq
            except (NatsError, LinkError, TimeoutError):
                return False
            return all(last[number] >= offset + count for number, offset in offsets.items())

        await until(beyond, ANSWERED_WITHIN_S, f"the queue is {count} beyond the offset")
        return last

    def bring_back(self, folder: Path | None) -> None:
        """While NATS is down: its store is that of `folder`, or nothing."""
        shutil.rmtree(self.store / "jetstream")
        if folder is not None:
            shutil.copytree(folder / "jetstream", self.store / "jetstream")

    def epochs(self) -> list[str]:
        """Why new ones began, since the persister's last start."""
        return [f"{line['reason']}" for line in self.persister.logged("new epoch")]


async def older_queue_everything_stopped(stand: Stand) -> None:
    """In the order an operator would."""
    await stand.door.stop()
    stand.persister.signal(15)
    await stand.persister.ended()
    stand.rig.nats.stop()
    stand.bring_back(stand.older)
    stand.rig.nats.start()
    await stand.persister.start_again()
    stand.door.start()
    await stand.door.until_ready()


async def older_queue_under_running_services(stand: Stand) -> None:
    """Nobody is told: NATS is gone for a moment, and older when it is back."""
    stand.rig.nats.stop()
    stand.bring_back(stand.older)
    stand.rig.nats.start()


async def older_queue_gateways_first(stand: Stand) -> None:
    """What comes in before a persister looks lifts the queue over the offset again."""
    stand.persister.signal(15)
    await stand.persister.ended()
    stand.rig.nats.stop()
    stand.bring_back(stand.older)
    stand.rig.nats.start()
    await stand.until_beyond(1)
    await stand.persister.start_again()


async def queue_deleted_everything_stopped(stand: Stand) -> None:
    """The disk of NATS was replaced."""
    await stand.door.stop()
    stand.persister.signal(15)
    await stand.persister.ended()
    stand.rig.nats.stop()
    stand.bring_back(None)
    stand.rig.nats.start()
    await stand.persister.start_again()
    stand.door.start()
    await stand.door.until_ready()


async def queue_deleted_under_running_services(stand: Stand) -> None:
    """As a NATS without a volume does when it is restarted."""
    stand.rig.nats.stop()
    stand.bring_back(None)
    stand.rig.nats.start()


@dataclass(frozen=True, slots=True)
class Case:
    """`said`: a new epoch begins. Otherwise what was only queued is skipped, and stored behind later messages when it
    is sent again (G5 leaves that open). `quick`: `make test` runs it."""

    fault: Callable[[Stand], Awaitable[None]]
    said: bool = True
    quick: bool = False


CASES: Final = {
    "older queue, everything stopped": Case(older_queue_everything_stopped, quick=True),
    "older queue under running services": Case(older_queue_under_running_services, quick=True),
    "older queue, filled before a persister looks": Case(older_queue_gateways_first, said=False),
    "no queue, everything stopped": Case(queue_deleted_everything_stopped),
    "no queue under running services": Case(queue_deleted_under_running_services, quick=True),
}


async def restored(home: Path, size: Size, name: str) -> Figures:
    """T17."""
    number, case = begin(f"T17 {name}"), CASES[name]
    async with open_rig(home) as rig, open_door(rig) as door:
        crowd = Callers(rig, [door], number, pause_s=PAUSE_S)
        stand = Stand(rig, door, crowd, rig.persisters[0], size)
        try:
            await crowd.open()
            crowd.start()
            await crowd.until_acked(size.pick(quick=20, full=200), ANSWERED_WITHIN_S)
            await stand.keep_older()
            await case.fault(stand)
            healed = time.monotonic()
            if case.said:
                await until(lambda: len(stand.epochs()) >= len(THREADS), WHOLE_WITHIN_S, "new epochs")
            await crowd.until_acked(1, ANSWERED_WITHIN_S)
            first_s = time.monotonic() - healed
            await crowd.until_acked(size.pick(quick=20, full=400), ANSWERED_WITHIN_S)
            reasons = ", ".join(sorted(set(stand.epochs()))) or "nothing, but that senders were told TIMEOUT"
            notes = f"said: {reasons}; acks flowed again {first_s:.1f} s after it was done"
            # Events of the time between copy and fault are in no stream any more, but were told.
            crowd.in_order = case.said
            figures = await verdict(crowd, size, f"T17 {name}", name, number, notes=notes, announced=False)
            return figures if case.said else replace(figures, invariants="C1 C2 C4, and C3 but for senders' order")
        finally:
            await crowd.close()

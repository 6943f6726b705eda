"""The lease of a gateway: renewed, compared, taken away."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chatterbus_contracts.codec import decode, encode
from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.presence import LEASE, Lease
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.presence.device_states import DeviceStates
from chatterbus_gateway.presence.lease import LeaseHolder
from chatterbus_gateway.presence.reporter import Reporter
from chatterbus_runtime.bucket import BucketUnavailable, Entry
from tests.kit.waiting import until

KEY = "g1"
G1 = GatewayId(KEY)
WAIT_S = 5.0


class FakeBucket:
    """A bucket in memory, shared by several processes of a gateway id."""

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.revision = 0
        self.writes = 0
        self.is_away = False
        self.swallows_answers = False

    @property
    def lease(self) -> Lease | None:
        return None if self.entry is None else decode(LEASE, self.entry.value)

    async def get(self, key: str) -> Entry | None:
        self._answer()
        return self.entry

    async def create(self, key: str, value: bytes) -> int | None:
        return self._write(key, value) if self.entry is None else None

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        return self._write(key, value) if self.entry is not None and self.entry.revision == revision else None

    async def delete_at(self, key: str, revision: int) -> bool:
        self._answer()
        if self.entry is None or self.entry.revision != revision:
            return False
        self.entry = None
        return True

    def forget(self) -> None:
        """As when NATS was restarted: revisions begin anew."""
        self.entry = None
        self.revision = 0

    def put(self, value: bytes) -> None:
        self.revision += 1
        self.entry = Entry(KEY, value, self.revision)

    def _write(self, key: str, value: bytes) -> int:
        assert key == KEY
        if not self.is_away:
            self.put(value)
            self.writes += 1
        if self.swallows_answers:
            raise BucketUnavailable("leases")
        self._answer()
        return self.revision

    def _answer(self) -> None:
        if self.is_away:
            raise BucketUnavailable("leases")


class FakeLink:
    is_connected = True

    def publish(self, subject: str, payload: bytes) -> None:
        """Nobody listens."""


class Process:
    """A gateway's lease and what it tells."""

    def __init__(self, bucket: FakeBucket, incarnation: int, refresh_s: float = 60.0, retry_s: float = 60.0) -> None:
        self.link = FakeLink()
        self.reporter = Reporter(self.link, DeviceStates(G1, incarnation), Counts())
        self.holder = LeaseHolder(self.link, bucket, self.reporter, G1, refresh_s=refresh_s, retry_s=retry_s)


@pytest.fixture
def bucket() -> FakeBucket:
    return FakeBucket()


def lease_of(incarnation: int) -> bytes:
    return encode(Lease(gateway_id=G1, incarnation=incarnation, draining=False, slots=[]))


async def test_the_lease_says_what_was_told(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    process.reporter.here("c1", UserId("anna"))
    assert await process.holder.renew()
    assert bucket.lease == process.reporter.lease(draining=False)
    assert bucket.lease.incarnation == 5
    assert sorted(set(bucket.lease.slots)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(("found", "ours"), [(3, 5), (5, 6), (900, 901)])
async def test_the_first_lease_outlives_the_one_that_it_finds(bucket: FakeBucket, found: int, ours: int) -> None:
    bucket.put(lease_of(found))
    assert await Process(bucket, 5).holder.renew()
    assert bucket.lease is not None
    assert bucket.lease.incarnation == ours


async def test_a_lease_that_cannot_be_read_is_written_over(bucket: FakeBucket) -> None:
    bucket.put(b"?")
    assert await Process(bucket, 5).holder.renew()
    assert bucket.lease is not None


async def test_of_two_processes_with_one_id_the_later_keeps_the_lease_and_the_earlier_says_so_once(
    bucket: FakeBucket,
) -> None:
    earlier, later = Process(bucket, 5), Process(bucket, 4)
    assert await earlier.holder.renew()
    assert await later.holder.renew()
    with capture_logs() as logs:
        for _ in range(3):
            assert await earlier.holder.renew()
            assert await later.holder.renew()
    assert bucket.lease is not None
    assert bucket.lease.incarnation == 6
    assert [line["log_level"] for line in logs] == ["error"]
    await earlier.holder.end()
    assert bucket.lease is not None


async def test_when_the_later_process_is_gone_the_earlier_comes_back_with_a_higher_incarnation(
    bucket: FakeBucket,
) -> None:
    earlier, later = Process(bucket, 5), Process(bucket, 90)
    await earlier.holder.renew()
    await later.holder.renew()
    await earlier.holder.renew()
    await later.holder.end()
    assert await earlier.holder.renew()
    assert bucket.lease is not None
    assert bucket.lease.incarnation == 91


async def test_a_write_whose_answer_was_lost_does_not_end_the_lease(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    await process.holder.renew()
    bucket.swallows_answers = True
    assert not await process.holder.renew()
    bucket.swallows_answers = False
    assert await process.holder.renew()
    assert bucket.lease is not None
    assert bucket.lease.incarnation == 5


async def test_a_lease_that_nats_lost_with_its_memory_is_written_anew(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    for _ in range(3):
        await process.holder.renew()
    bucket.forget()
    assert await process.holder.renew()
    assert bucket.lease is not None
    assert bucket.lease.incarnation == 5
    await process.holder.end()
    assert bucket.lease is None


async def test_after_the_end_nothing_is_written_any_more(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    await process.holder.renew()
    await process.holder.end()
    await process.holder.renew()
    assert bucket.lease is None


async def test_an_end_without_an_answer_is_an_end(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    await process.holder.renew()
    bucket.is_away = True
    await process.holder.end()


async def test_a_failing_lease_is_logged_once_an_outage_and_tried_again_until_it_is_there(bucket: FakeBucket) -> None:
    process = Process(bucket, 5, retry_s=0.01)
    with capture_logs() as logs:
        for outage in (1, 2):
            bucket.is_away = True
            assert not await process.holder.renew()
            assert not await process.holder.renew()
            bucket.is_away = False
            keeping = asyncio.create_task(process.holder.keep())
            await until(lambda writes=outage: bucket.writes >= writes, WAIT_S, "the lease is there")
            keeping.cancel()
            await asyncio.wait({keeping})
    assert [line["log_level"] for line in logs] == ["warning", "warning"]


async def test_without_a_link_nothing_is_asked_of_the_bucket_nor_logged(bucket: FakeBucket) -> None:
    process = Process(bucket, 5)
    process.link.is_connected = False
    bucket.is_away = True
    with capture_logs() as logs:
        assert not await process.holder.renew()
        await process.holder.end()
    assert logs == []


async def test_the_lease_is_renewed_by_the_clock_and_at_once_when_asked_and_when_draining(bucket: FakeBucket) -> None:
    patient = Process(bucket, 5)
    keeping = asyncio.create_task(patient.holder.keep())
    await until(lambda: bucket.writes == 1, WAIT_S, "the first lease")
    patient.holder.renew_soon()
    await until(lambda: bucket.writes == 2, WAIT_S, "the lease after the link's return")
    patient.holder.drain()
    await until(lambda: bucket.lease is not None and bucket.lease.draining, WAIT_S, "the lease says draining")
    await patient.holder.end()
    await asyncio.wait_for(keeping, WAIT_S)
    busy = Process(bucket, 6, refresh_s=0.01)
    keeping = asyncio.create_task(busy.holder.keep())
    await until(lambda: bucket.writes >= 6, WAIT_S, "refreshes")
    await busy.holder.end()
    await asyncio.wait_for(keeping, WAIT_S)

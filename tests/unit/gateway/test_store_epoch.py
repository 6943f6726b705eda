"""Readiness follows the store, without taking every refusal for its absence."""

from __future__ import annotations

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import Info
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_gateway.store_epoch import CHECK, PATIENCE_S, POLL_EVERY_S, POLL_SOON_S, StoreEpoch
from chatterbus_runtime.health import Health


class Store:
    def __init__(self) -> None:
        self.now = 0.0
        self.info: Info | None = Info(epoch="e1", partitions=4)

    async def ask(self, query_name: str, question: Wire) -> bytes:
        if self.info is None:
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "too many queries are waiting")
        return encode(self.info)


def stand() -> tuple[Store, Health, StoreEpoch]:
    store, health = Store(), Health(CHECK)
    return store, health, StoreEpoch(store, health, 4, lambda: store.now)


async def test_a_gateway_that_never_heard_of_the_store_is_not_ready() -> None:
    store, health, epoch = stand()
    store.info = None
    assert not await epoch.poll()
    assert not health.ready


async def test_a_refused_question_is_no_alarm_and_six_silent_seconds_are_one() -> None:
    store, health, epoch = stand()
    await epoch.poll()
    store.info, store.now = None, PATIENCE_S - 0.1
    assert not await epoch.poll()
    assert health.ready
    store.now = PATIENCE_S
    await epoch.poll()
    assert not health.ready
    store.info = Info(epoch="e1", partitions=4)
    await epoch.poll()
    assert health.ready


def test_a_store_that_does_not_answer_is_seen_within_ten_seconds() -> None:
    question_s = GatewaySettings.model_fields["gateway_store_timeout_s"].default
    assert max(POLL_EVERY_S + question_s, PATIENCE_S + POLL_SOON_S) < 10


async def test_a_store_of_another_size_makes_the_gateway_unready_at_once() -> None:
    store, health, epoch = stand()
    await epoch.poll()
    store.info = Info(epoch="e2", partitions=8)
    assert not await epoch.poll()
    assert not health.ready

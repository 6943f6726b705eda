"""Tickets in a real NATS: sold once, redeemed once, whoever asks and however many do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.tickets import TicketOffice, key_of
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

ALICE = Principal(user_id=UserId("alice"), scopes=frozenset({"chat:system"}), expires_at=5_000.0)


@pytest.fixture
async def links(nats_server: NatsServer) -> AsyncIterator[tuple[NatsLink, NatsLink]]:
    settings = ServiceSettings(nats_url=nats_server.url)
    first = await NatsLink.connect(settings, "first", connect_patience_s=10)
    second = await NatsLink.connect(settings, "second", connect_patience_s=10)
    yield first, second
    await first.close(1)
    await second.close(1)


async def code_of(office: TicketOffice, ticket: str) -> ErrorCode:
    with pytest.raises(Refusal) as caught:
        await office.redeem(ticket)
    return caught.value.code


async def test_of_twenty_redeems_at_two_gateways_exactly_one_wins(links: tuple[NatsLink, NatsLink]) -> None:
    offices = [TicketOffice(link, timeout_s=5) for link in links]
    for _ in range(5):
        ticket, _ends_at = await offices[0].issue(ALICE)
        outcomes = await asyncio.gather(
            *(offices[number % 2].redeem(ticket) for number in range(20)), return_exceptions=True
        )
        assert [outcome for outcome in outcomes if isinstance(outcome, Principal)] == [ALICE]
        assert [o.code for o in outcomes if isinstance(o, Refusal)] == [ErrorCode.AUTH_FAILED] * 19


async def test_the_bucket_holds_the_hash_in_memory_for_thirty_seconds(links: tuple[NatsLink, NatsLink]) -> None:
    ticket, _ = await TicketOffice(links[0], timeout_s=5).issue(ALICE)
    info = await links[1].jetstream.stream_info("KV_tickets", subjects_filter=">")
    assert info.state.subjects == {f"$KV.tickets.{key_of(ticket)}": 1}
    config = info.config
    assert (config.storage, config.max_age, config.max_msgs_per_subject) == ("memory", 30.0, 1)
    assert config.max_bytes is not None
    assert config.max_bytes > 0


async def test_a_stranger_is_refused_where_nothing_was_ever_sold(links: tuple[NatsLink, NatsLink]) -> None:
    assert await code_of(TicketOffice(links[0], timeout_s=5), "made-up") is ErrorCode.AUTH_FAILED


async def test_nats_away_means_later_and_its_restart_only_costs_the_tickets_sold(
    links: tuple[NatsLink, NatsLink], nats_server: NatsServer
) -> None:
    office = TicketOffice(links[0], timeout_s=0.5)
    ticket, _ = await office.issue(ALICE)
    nats_server.kill()
    await until(lambda: not links[0].is_connected, 10, "the loss is noticed")
    assert await code_of(office, ticket) is ErrorCode.STORE_UNAVAILABLE
    with pytest.raises(Refusal) as caught:
        await office.issue(ALICE)
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    nats_server.start()
    await until(lambda: links[0].is_connected, 10, "the link is back")
    patient = TicketOffice(links[0], timeout_s=5)
    assert await code_of(patient, ticket) is ErrorCode.AUTH_FAILED
    again, _ = await patient.issue(ALICE)
    assert await patient.redeem(again) == ALICE

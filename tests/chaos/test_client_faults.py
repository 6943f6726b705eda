"""Clients that go, die and come back: what they were told is what is stored, and what they see is what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.keeping import keep
from tests.chaos.scenarios import clients
from tests.chaos.sizes import Size


@pytest.mark.timeout(300)
async def test_whoever_comes_back_anywhere_with_their_rev_sees_what_the_store_has(cluster: Cluster, size: Size) -> None:
    keep(await clients.roaming(cluster, size), size)


@pytest.mark.timeout(600)
async def test_a_client_killed_between_post_and_ack_stores_once_what_it_posted(
    cluster: Cluster, size: Size, tmp_path: Path
) -> None:
    keep(await clients.outbox_killed(cluster, size, tmp_path), size)


@pytest.mark.timeout(600)
async def test_what_is_rejected_while_the_queue_is_cut_off_is_never_stored(
    cluster: Cluster, size: Size, tmp_path: Path
) -> None:
    keep(await clients.cut_while_publishing(cluster, size, tmp_path), size)


@pytest.mark.timeout(300)
async def test_a_frozen_queue_is_told_to_every_sender_in_time_and_costs_no_memory(
    cluster: Cluster, size: Size, tmp_path: Path
) -> None:
    keep(await clients.queue_frozen(cluster, size, tmp_path), size)

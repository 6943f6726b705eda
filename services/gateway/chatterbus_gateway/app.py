"""The gateway, put together: the only place where its parts are made and connected.

Promises: the port opens when everything behind it can answer or refuse (while that is waited for, only probes are
answered: meanwhile.py); on SIGTERM the gateway is unready, then drains, then ends, in at most the drain timeout and a
few seconds. Decides nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Final

import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from chatterbus_gateway.admission import Admission
from chatterbus_gateway.attachments.attachments import Attachments
from chatterbus_gateway.command_queue import CommandQueue
from chatterbus_gateway.counts import Counts, CountsCollector
from chatterbus_gateway.credentials import Credentials
from chatterbus_gateway.drain import drain
from chatterbus_gateway.follower import Follower
from chatterbus_gateway.gateway import Gateway
from chatterbus_gateway.http_socket import http_socket
from chatterbus_gateway.meanwhile import Meanwhile
from chatterbus_gateway.notifier import Notifier
from chatterbus_gateway.pending import PendingCommands
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.position_check import PositionCheck
from chatterbus_gateway.presence.device_states import DeviceStates
from chatterbus_gateway.presence.lease import BUCKET, CALL_TIMEOUT_S, LeaseHolder
from chatterbus_gateway.presence.presence_book import PresenceBook
from chatterbus_gateway.presence.questions import Questions
from chatterbus_gateway.presence.reporter import Reporter
from chatterbus_gateway.presence.watch_requests import WatchRequests
from chatterbus_gateway.rest.app import build_rest
from chatterbus_gateway.revocation_feed import RevocationFeed
from chatterbus_gateway.revocations import Revocations
from chatterbus_gateway.server import GatewayServer
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_gateway.storage_choice import open_storage
from chatterbus_gateway.store import Store
from chatterbus_gateway.store_epoch import CHECK, StoreEpoch
from chatterbus_gateway.tickets import TicketOffice
from chatterbus_gateway.tokens import TokenVerifier
from chatterbus_gateway.websocket import socket_protocol
from chatterbus_runtime.bucket import Bucket
from chatterbus_runtime.health import Health
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher
from chatterbus_runtime.lifecycle import Lifecycle
from chatterbus_runtime.metrics import LoopLag, publish_build_info
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

NATS_CHECK: Final = "nats"
LISTENING: Final = "listening"  # the last to come: probes are answered before sockets are taken
STOP_S: Final = 5.0  # of the drain timeout, for open REST requests and for NATS


class LinkWatch:
    """Tells all who must know of the link's losses and returns, in their order."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self.on_lost: tuple[Callable[[], None], ...] = ()
        self.on_found: tuple[Callable[[], None], ...] = ()

    def lost(self) -> None:
        """The link is down."""
        self._health.set(NATS_CHECK, ok=False, detail="not connected")
        for tell in self.on_lost:
            tell()

    def found(self) -> None:
        """The link is up again."""
        self._health.set(NATS_CHECK, ok=True)
        for tell in self.on_found:
            tell()


async def main(lifecycle: Lifecycle, settings: GatewaySettings, registry: CollectorRegistry = REGISTRY) -> None:
    """Run until told to stop."""
    health = Health(NATS_CHECK, CHECK, LISTENING)
    watch = LinkWatch(health)
    meanwhile = Meanwhile(health, settings.gateway_host, settings.gateway_port, registry)
    meanwhile.begin()
    link = await lifecycle.unless_stopping(
        NatsLink.connect(
            settings,
            settings.gateway_id,
            on_disconnected=watch.lost,
            on_reconnected=watch.found,
            on_closed=lambda: lifecycle.fail("the NATS connection was closed for good"),
        )
    )
    if link is None:
        return
    health.set(NATS_CHECK, ok=True)
    counts = Counts()
    store = Store(link, settings.gateway_store_timeout_s)
    verifier = TokenVerifier.from_settings(settings)
    tickets = TicketOffice(link, settings.gateway_store_timeout_s, replicas=settings.gateway_stream_replicas)
    revocations = Revocations(settings.gateway_revocations_kept_s)
    revoked = RevocationFeed(link, revocations, settings.gateway_revocations_kept_s, settings.gateway_stream_replicas)
    credentials = Credentials(verifier, tickets, revocations)
    publisher = JetStreamPublisher(link, ack_timeout_s=settings.gateway_publish_ack_timeout_s, retries=0)
    pending = PendingCommands(
        settings.gateway_max_in_flight, settings.gateway_answer_timeout_s, settings.gateway_queued_after_s
    )
    queue = CommandQueue(link, publisher, settings.gateway_id, settings.gateway_partitions, pending, counts)
    notifier = Notifier(link)
    book = PresenceBook(link, notifier)
    platform = settings.gateway_presence_visibility == "platform"
    watch_requests = WatchRequests(store, book, platform=platform)
    book.begin()
    follower = Follower(link, store, counts, book)
    positions = PositionCheck(link, store, follower, counts, every_s=settings.gateway_position_check_s)
    reporter = Reporter(link, DeviceStates(settings.gateway_id, int(time.time() * 1000)), counts)
    leases = Bucket(link, replace(BUCKET, replicas=settings.gateway_stream_replicas), CALL_TIMEOUT_S)
    lease = LeaseHolder(link, leases, reporter, settings.gateway_id)
    watch.on_lost = (follower.link_lost,)
    watch.on_found = (
        follower.link_found,
        book.ask_all_again,
        lease.renew_soon,
        reporter.all_missed,
        queue.link_found,
        revoked.link_found,
    )
    epoch = StoreEpoch(store, health, settings.gateway_partitions)
    gateway = Gateway(
        link=link,
        queue=queue,
        follower=follower,
        reporter=reporter,
        notifier=notifier,
        watch_requests=watch_requests,
        credentials=credentials,
        revocations=revocations,
        epoch=epoch,
        admission=Admission(
            settings.gateway_allowed_origins, settings.gateway_trusted_proxies, settings.gateway_dev_mode
        ),
        policy=SocketPolicy.from_settings(settings),
        counts=counts,
        receipts_interval_s=settings.gateway_receipts_interval_s,
        typing_interval_s=settings.gateway_typing_interval_s,
    )
    storage = await lifecycle.unless_stopping(open_storage(settings))
    if storage is None:
        return
    files = Attachments.over(storage, settings)
    show_metrics(counts, gateway, book, files, registry)
    rest = build_rest(
        settings,
        credentials,
        store,
        queue,
        health,
        files=files,
        tickets=tickets,
        notifier=notifier,
        revokes=revoked,
    )
    server = GatewayServer(
        rest,
        http_socket(gateway.wheel, stall_max_s=settings.gateway_attachment_idle_timeout_s),
        socket_protocol(gateway),
    )
    questions = Questions(link, settings.gateway_id, reporter, gateway.attends)
    await lease.renew()  # before anybody connects: it may show that our incarnation must be higher
    await epoch.poll()
    await verifier.warm_up()
    revoked.on_revoked = gateway.tokens_revoked
    lifecycle.spawn("revocations", revoked.run())
    await revoked.caught_up()
    await meanwhile.end()
    port = await server.start(settings.gateway_host, settings.gateway_port)
    health.set(LISTENING, ok=True)
    lifecycle.spawn("wheel", gateway.turn_wheel())
    lifecycle.spawn("lease", lease.keep())
    lifecycle.spawn("presence book", book.run())
    if not platform:
        lifecycle.spawn("watch checks", watch_requests.run())
    lifecycle.spawn("position check", positions.run())
    lifecycle.spawn("store epoch", epoch.poll_for_ever())
    lifecycle.spawn("loop lag", LoopLag(registry).sample_for_ever())
    log.info("listening", host=settings.gateway_host, port=port, gateway_id=settings.gateway_id)
    if settings.gateway_dev_mode:
        log.warning("DEVELOPMENT MODE: anyone who reaches this port is whoever they say they are")

    await lifecycle.stopping.wait()
    health.draining = True
    lease.drain()
    await asyncio.sleep(settings.gateway_drain_delay_s)
    sockets_s = settings.gateway_drain_timeout_s - settings.gateway_drain_delay_s - STOP_S
    await drain(gateway, timeout_s=max(sockets_s, 0.5), jitter_s=settings.gateway_reconnect_jitter_s)
    await server.stop()
    questions.close()
    reporter.flush()
    await lease.end()
    await files.close()
    await storage.close()
    positions.close()
    await follower.close()
    await watch_requests.close()
    book.close()
    await gateway.close()
    queue.close()
    publisher.close()
    await verifier.close()
    await link.close()


def show_metrics(
    counts: Counts, gateway: Gateway, book: PresenceBook, files: Attachments, registry: CollectorRegistry
) -> None:
    """Register what the gateway counts."""
    publish_build_info("gateway", version("chatterbus-gateway"), registry)
    collector = CountsCollector(
        counts,
        {
            "connections": ("Open connections", lambda: float(len(gateway.hub))),
            "users": ("Users with an authenticated connection", lambda: float(gateway.hub.users)),
            "threads_followed": ("Threads that are listened to", lambda: float(len(gateway.follower))),
            "users_watched": ("Users whose presence is listened to", lambda: float(len(book))),
            "files_moving": ("Files on their way, up and down", lambda: float(len(files.transfers))),
            "commands_pending": ("Commands that wait for their answer", lambda: float(len(gateway.queue))),
        },
    )
    registry.register(collector)

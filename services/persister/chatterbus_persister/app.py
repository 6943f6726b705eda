"""The composition root: what a persister is made of, in the order in which it starts and stops."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from psycopg_pool import AsyncConnectionPool

from chatterbus_contracts.topology import command_streams, events_stream
from chatterbus_persister.announcer import Announcer
from chatterbus_persister.attachment_collector import AttachmentCollector
from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.failpoints import armed_by
from chatterbus_persister.first_look import look_for_postgres
from chatterbus_persister.holdings import Holdings
from chatterbus_persister.lane import Lane
from chatterbus_persister.occupation import Occupation
from chatterbus_persister.pulse import CHECK as PULSE_CHECK
from chatterbus_persister.pulse import Pulse
from chatterbus_persister.purger import purge_forever
from chatterbus_persister.search.indexer import Indexer
from chatterbus_persister.settings import PersisterSettings
from chatterbus_persister.storage_choice import storage_of
from chatterbus_persister.store_service import StoreService, prepare_connection
from chatterbus_runtime.health import Health
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher
from chatterbus_runtime.lifecycle import Lifecycle
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.probe_server import ProbeServer

log = structlog.get_logger(__name__)


def service_main(settings: PersisterSettings) -> Callable[[Lifecycle], Awaitable[None]]:
    """The persister's main for `lifecycle.run`."""

    async def main(lifecycle: Lifecycle) -> None:
        health = Health("nats", "postgres", "queue", PULSE_CHECK)
        probes = ProbeServer(health)
        port = await probes.start(settings.persister_probe_host, settings.persister_probe_port)
        log.info("probes listen", port=port)
        looking = lifecycle.spawn(
            "first look",
            look_for_postgres(settings.persister_dsn.get_secret_value(), health, "postgres"),
            may_end=True,
        )
        wake = asyncio.Event()
        returned: list[Callable[[], None]] = []

        def link_up() -> None:
            health.set("nats", True)
            for callback in returned:
                callback()

        link = await lifecycle.unless_stopping(
            NatsLink.connect(
                settings,
                "persister",
                on_disconnected=lambda: health.set("nats", False, "disconnected"),
                on_reconnected=link_up,
                on_closed=lambda: lifecycle.fail("the NATS connection closed for good"),
            )
        )
        looking.cancel()
        if link is None:
            return
        health.set("nats", True)

        reach = armed_by(settings.persister_failpoints_dir)
        publisher = JetStreamPublisher(link, ack_timeout_s=settings.persister_announce_timeout_s)
        announcer = Announcer(link, publisher, settings.persister_unannounced_batches, wake.set, reach)
        holdings = Holdings(
            link,
            announcer,
            command_streams(settings.persister_partitions, settings.persister_queue_max_bytes),
            events_stream(settings.persister_events_max_bytes),
            settings.persister_stream_replicas,
            settings.persister_backlog_bytes,
            wake,
        )
        returned.append(holdings.link_returned)
        occupation = Occupation()
        lane = Lane(settings, announcer, holdings, health, reach, wake, occupation)
        announcer.struggling = True  # look at the stream of events before the first batch

        read_dsn = settings.persister_read_dsn or settings.persister_dsn
        pool = AsyncConnectionPool(
            session_conninfo(read_dsn.get_secret_value(), "chatterbus-store"),
            min_size=1,
            max_size=settings.persister_read_connections,
            open=False,
            configure=prepare_connection,
            timeout=settings.persister_query_timeout_s,
            kwargs={"prepare_threshold": 0},
        )
        store = StoreService(
            pool, timeout_s=settings.persister_query_timeout_s, max_waiting=settings.persister_queries_waiting
        )
        await pool.open(wait=False)
        await store.start(link)
        working = lifecycle.spawn("lane", lane.run())
        lifecycle.spawn("purger", purge_forever(link, holdings, settings.persister_purge_interval_s))
        storage = storage_of(settings, link)
        collector = AttachmentCollector(
            settings.persister_dsn.get_secret_value(),
            storage,
            unattached_ttl_s=settings.persister_unattached_ttl_s,
            holds=holdings.holds,
        )
        indexer = Indexer(
            link,
            settings.persister_dsn.get_secret_value(),
            stream=events_stream().name,
            replicas=settings.persister_stream_replicas,
            language=settings.persister_search_language,
            batch_messages=settings.persister_search_batch_messages,
            share=settings.persister_search_share,
            ledger_share=occupation.since_last,
            on_unusable=lifecycle.fail,
        )
        indexing = lifecycle.spawn("search indexer", indexer.run(), may_end=True)
        collecting = lifecycle.spawn("collector", collector.run(settings.persister_collect_interval_s))

        pulse = lifecycle.spawn("pulse", Pulse(settings.persister_dsn.get_secret_value(), health).run())

        await lifecycle.stopping.wait()
        health.draining = True
        lane.stop()
        await asyncio.wait({working}, timeout=lifecycle.drain_timeout_s)
        collecting.cancel()
        indexing.cancel()
        pulse.cancel()
        await store.stop()
        await pool.close(timeout=1.0)
        await storage.close()
        await link.close()
        await probes.stop()

    return main

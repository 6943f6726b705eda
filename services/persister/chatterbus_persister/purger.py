"""Removes announced commands from the queue, so that no message text stays there.

Promises: nothing is purged before the database says that it was announced, nor by an offset that may speak of another
stream; a purge that fails is tried again at the next turn, and one that finds no stream says so.
"""

import asyncio

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chatterbus_contracts.subjects import command_stream
from chatterbus_persister.holdings import Holdings
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink

log = structlog.get_logger(__name__)


async def purge_forever(link: NatsLink, holdings: Holdings, interval_s: float) -> None:
    """Runs until cancelled."""
    purged: dict[int, int] = {}
    while True:
        await asyncio.sleep(interval_s)
        for partition, announced in holdings.purgeable().items():
            if purged.get(partition) == announced or announced == 0:
                continue
            try:
                await link.jetstream.purge_stream(command_stream(partition), seq=announced + 1)
            except NotFoundError:
                holdings.stream_is_gone(partition)
            except (NatsError, LinkError, TimeoutError) as error:
                log.warning("purge failed", partition=partition, error=type(error).__name__)
            else:
                purged[partition] = announced

"""What the gateway counts, as plain integers: incrementing one costs nanoseconds; the scrape reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Counts:
    """Since the start of the process."""

    __slots__ = (
        "answer_timeouts",
        "bytes_out",
        "connection_changes",
        "connection_changes_lost",
        "connections_closed",
        "connections_opened",
        "connections_refused",
        "ephemeral_dropped",
        "events_in",
        "expelled",
        "frames_in",
        "gaps_found",
        "parcels",
        "queue_failures",
        "receipts_dropped",
        "resyncs",
        "slow_closes",
        "writes",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    answer_timeouts: int
    bytes_out: int
    connection_changes: int
    connection_changes_lost: int
    connections_closed: int
    connections_opened: int
    connections_refused: int
    ephemeral_dropped: int
    events_in: int
    expelled: int
    frames_in: int
    gaps_found: int
    parcels: int
    queue_failures: int
    receipts_dropped: int
    resyncs: int
    slow_closes: int
    writes: int


_HELP: Final[dict[str, str]] = {
    "answer_timeouts": "Commands whose answer did not come in time",
    "bytes_out": "Bytes written to sockets",
    "connection_changes": "Changes of who is connected, told to the notifier",
    "connection_changes_lost": "Of these, the ones that could not be published; the lease shows them",
    "connections_closed": "Connections that ended",
    "connections_opened": "Connections that were accepted",
    "connections_refused": "Upgrades refused before accept: origin, caps, path, draining",
    "ephemeral_dropped": "Typing frames dropped because a socket was blocked",
    "events_in": "Events received for followed threads",
    "expelled": "Followers found to be no members after a gap in the events",
    "frames_in": "Text messages received from clients",
    "gaps_found": "Threads whose events were missing though none came behind them, found by asking the store",
    "parcels": "Parcels published to the queue",
    "queue_failures": "Parcels or commands that the queue did not take",
    "receipts_dropped": "Receipts that did not reach the queue",
    "resyncs": "Resync notices sent",
    "slow_closes": "Connections closed as slow consumers",
    "writes": "Writes to sockets",
}


class CountsCollector(Collector):
    """Shows Counts, and gauges that are read when asked, to Prometheus."""

    def __init__(self, counts: Counts, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """All metrics of the gateway's sockets."""
        for name, text in _HELP.items():
            yield CounterMetricFamily(f"chatterbus_gateway_{name}", text, value=getattr(self._counts, name))
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"chatterbus_gateway_{name}", text, value=read())

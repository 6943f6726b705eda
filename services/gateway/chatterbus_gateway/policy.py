"""What a socket may do and how long things take: every number of the WebSocket side, with its reason.

Operators tune the rates and caps through settings (see settings.py); the rest are constants of the design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from chatterbus_gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class SocketPolicy:
    """Limits and times of connections. `_s` are seconds."""

    auth_deadline_s: float = 10.0  # a half-open socket costs a descriptor
    ping_every_s: float = 25.0  # home routers forget a silent connection after about 45 s
    silence_max_s: float = 60.0  # two pings unanswered and some grace
    closing_deadline_s: float = 5.0  # a client that does not read keeps no descriptor
    fault_linger_s: float = 0.5  # for a peer whose frames cannot be read any more to read why
    stall_max_s: float = 15.0  # a socket that takes nothing for so long is a slow consumer, however little waits
    away_after_s: float = 300.0  # without a frame of the person's: a coffee, not a thought
    token_warning_s: float = 60.0  # time to fetch a new token
    frames_per_s: float = 50.0  # of one connection, on the long run
    frames_burst: int = 200  # a client that comes back sends what it had kept
    floods_max: int = 400  # RATE_LIMITED answers before the socket is closed; refills with the bucket
    bad_frames_max: int = 20  # undecodable frames at once; one is forgiven every `bad_frame_forgiven_s`
    bad_frame_forgiven_s: float = 5.0
    in_flight_max: int = 512  # unanswered requests of one connection
    held_frames_max: int = 64  # frames that come while the token is being verified
    threads_max: int = 500  # followed by one connection
    connections_per_user: int = 20
    connections_per_address: int = 1_000
    connections_total: int = 50_000
    write_high_bytes: int = 64 * 1024  # in the transport; beyond that the outbox holds frames back
    send_buffer_bytes: int = 128 * 1024  # of the kernel: its default grows to megabytes and hides a slow reader
    durable_lane_bytes: int = 2 * 1024 * 1024
    ephemeral_lane_bytes: int = 64 * 1024
    dev_mode: bool = False

    @classmethod
    def from_settings(cls, settings: GatewaySettings) -> Self:
        """What the operator chose."""
        return cls(
            auth_deadline_s=settings.gateway_auth_deadline_s,
            ping_every_s=settings.gateway_heartbeat_interval_s,
            silence_max_s=settings.gateway_heartbeat_timeout_s,
            away_after_s=settings.gateway_away_after_s,
            frames_per_s=settings.gateway_rate_frames_per_s,
            frames_burst=settings.gateway_rate_burst_frames,
            in_flight_max=settings.gateway_max_in_flight_per_connection,
            threads_max=settings.gateway_max_subscriptions,
            connections_per_user=settings.gateway_max_connections_per_user,
            connections_per_address=settings.gateway_max_connections_per_address,
            connections_total=settings.gateway_max_connections,
            durable_lane_bytes=settings.gateway_durable_lane_bytes,
            ephemeral_lane_bytes=settings.gateway_ephemeral_lane_bytes,
            dev_mode=settings.gateway_dev_mode,
        )

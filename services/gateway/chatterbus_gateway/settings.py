"""What the gateway is told through its environment: each setting with its default, its unit and the reason for it.

Promises: settings that would open the gateway to strangers do not load. Development mode takes a client's word for
who it is, so it needs a loopback address; without it, tokens must be checkable.
"""

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from chatterbus_contracts.ids import GatewayId, GatewayIdField
from chatterbus_contracts.topology import DEFAULT_PARTITIONS
from chatterbus_gateway.origins import ANY, is_loopback, parse_origin
from chatterbus_gateway.token_keys import pem_key, secret_key
from chatterbus_runtime.settings import ServiceSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    # --- where it listens and who it is ---
    gateway_host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    gateway_port: int = Field(
        default=8080, ge=0, le=65_535, description="Port for WebSocket and REST; 0: any free one."
    )
    gateway_id: GatewayIdField = Field(
        default_factory=lambda: GatewayId(f"gw-{uuid4().hex[:12]}"),
        description="Names this process to the others; random by default, since a restarted one is another one.",
    )
    gateway_partitions: int = Field(
        default=DEFAULT_PARTITIONS, ge=1, le=1024, description="Partitions of the queue; as when the store was created."
    )
    gateway_dev_mode: bool = Field(
        default=False, description="Takes a client's word for who it is. For a laptop: only with a loopback host."
    )
    gateway_published_host: str = Field(
        default="",
        description="In a container: the address its port is published on. Development mode goes by it.",
    )
    gateway_stream_replicas: int = Field(
        default=1, ge=1, le=5, description="Copies of leases, tickets and revocations in a NATS cluster."
    )

    gateway_serve_client: bool = Field(
        default=True,
        description="Serves the browser SDK at /chatterbus/ (the demo page at / too, in development mode).",
    )

    # --- who may come in ---
    gateway_jwt_secret: SecretStr | None = Field(
        default=None,
        description="Shared secret of HS256 tokens, at least 32 bytes: a shorter one can be guessed offline.",
    )
    gateway_jwt_public_key: str | None = Field(
        default=None,
        description="PEM public key (RSA, EC or Ed25519) that tokens are signed for; its type sets the algorithms.",
    )
    gateway_jwks_url: str | None = Field(
        default=None, description="Where the token issuer publishes its keys (JWKS); rotation is followed."
    )
    gateway_jwt_audience: str | None = Field(
        default=None, description="Required in a token's aud: keeps another service's tokens out."
    )
    gateway_jwt_issuer: str | None = Field(default=None, description="Required as a token's iss.")
    gateway_allowed_origins: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Pages that may connect: scheme://host[:port], comma-separated, * for all. Own host's always may.",
    )
    gateway_trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Networks whose X-Forwarded-For is believed, comma-separated; from others it could be invented.",
    )
    gateway_auth_deadline_s: float = Field(
        default=10, gt=0, le=300, description="Seconds until a socket must have sent auth: half-open ones cost memory."
    )

    # --- signs of life ---
    gateway_heartbeat_interval_s: float = Field(
        default=25, gt=0, le=300, description="Seconds between pings: below 45, when home routers forget a connection."
    )
    gateway_heartbeat_timeout_s: float = Field(
        default=60, gt=0, le=600, description="Seconds of silence after which a socket is dead; two missed pings."
    )

    gateway_away_after_s: float = Field(
        default=300, gt=0, description="Seconds without a frame other than a ping until a device counts as away."
    )

    # --- how much one may ask ---
    gateway_rate_frames_per_s: float = Field(
        default=50, gt=0, description="Frames (and REST requests) a second, lasting: more than a person can type."
    )
    gateway_rate_burst_frames: int = Field(
        default=200, ge=1, description="Frames at once: what a client sends after a reconnect."
    )
    gateway_max_connections: int = Field(
        default=50_000, ge=1, description="Sockets in all: bounds memory (about 8 KB each when idle)."
    )
    gateway_max_connections_per_user: int = Field(
        default=20, ge=1, description="Sockets of one user: a few devices with a few tabs each."
    )
    gateway_max_connections_per_address: int = Field(
        default=1_000, ge=1, description="Sockets from one address: an office behind one router, not a botnet."
    )
    gateway_max_subscriptions: int = Field(
        default=500, ge=1, description="Threads one connection follows: bounds what a resync costs."
    )
    gateway_max_in_flight_per_connection: int = Field(
        default=512, ge=1, description="Requests of one connection that wait for their answer."
    )
    gateway_max_in_flight: int = Field(
        default=20_000,
        ge=1,
        description="Requests in all that wait for their answer: bounds memory when stores are slow.",
    )
    gateway_durable_lane_bytes: int = Field(
        default=2 * 1024 * 1024,
        ge=65_536,
        description="Bytes of messages, receipts and acks waiting for one slow reader, which is closed beyond.",
    )
    gateway_ephemeral_lane_bytes: int = Field(
        default=64 * 1024,
        ge=1_024,
        description="Bytes of typing and presence waiting for one slow reader; dropped beyond.",
    )

    # --- files ---
    gateway_attachment_max_bytes: int = Field(
        default=25 * 1024 * 1024, ge=1, description="Bytes of one file: what mail takes, so what people expect."
    )
    gateway_attachment_transfers_max: int = Field(
        default=200, ge=1, description="Files on their way at once, up and down; each costs about half a megabyte."
    )
    gateway_attachment_transfers_per_user_max: int = Field(
        default=20, ge=1, description="Files of one user on their way at once: two messages full of them."
    )
    gateway_attachment_idle_timeout_s: float = Field(
        default=30, gt=0, description="Seconds in which a byte of a file must move; a stalled transfer is given up."
    )
    gateway_picture_max_bytes: int = Field(
        default=25 * 1024 * 1024, ge=0, description="Pictures up to so many bytes get dimensions and a thumbnail."
    )
    gateway_picture_timeout_s: float = Field(
        default=10, gt=0, description="Seconds for looking at a picture; later it is sent without a thumbnail."
    )
    gateway_pictures_at_once: int = Field(
        default=2, ge=1, le=64, description="Pictures decoded at once: each takes a thread and up to 250 MB at worst."
    )
    gateway_storage: Literal["nats", "s3"] = Field(
        default="nats", description="Where files are kept: the NATS object store, or an S3-compatible one."
    )
    gateway_storage_timeout_s: float = Field(
        default=10, gt=0, description="Seconds for the storage to take or give one piece of a file."
    )
    gateway_storage_replicas: int = Field(
        default=1, ge=1, le=5, description="Copies of each file in a NATS cluster, set when the bucket is made."
    )
    gateway_s3_bucket: str = Field(default="", description="The bucket for files; it must exist.")
    gateway_s3_endpoint: str | None = Field(default=None, description="URL of the S3-compatible store; unset: AWS.")
    gateway_s3_region: str | None = Field(default=None, description="Region of the bucket.")
    gateway_s3_access_key: SecretStr | None = Field(
        default=None, description="Access key id; unset: what the environment gives (an instance's role)."
    )
    gateway_s3_secret_key: SecretStr | None = Field(default=None, description="Secret of GATEWAY_S3_ACCESS_KEY.")

    # --- who sees whom ---
    gateway_presence_visibility: Literal["shared", "platform"] = Field(
        default="shared",
        description="Who sees whether a user is there: those who share a thread with them, or everybody.",
    )

    # --- deadlines ---
    gateway_queued_after_s: float = Field(
        default=0.25, gt=0, description="Seconds after which a sender hears `queued` (REST: 202) instead of nothing."
    )
    gateway_answer_timeout_s: float = Field(
        default=30, gt=0, description="Seconds to wait for the store's answer to a command; then TIMEOUT, fate unknown."
    )
    gateway_publish_ack_timeout_s: float = Field(
        default=5, gt=0, description="Seconds to wait until the queue has taken a command."
    )
    gateway_store_timeout_s: float = Field(default=5, gt=0, description="Seconds to wait for the answer to a query.")
    gateway_jwks_timeout_s: float = Field(
        default=5, gt=0, description="Seconds to wait for the token issuer's keys; a login waits with it."
    )
    gateway_drain_delay_s: float = Field(
        default=0,
        ge=0,
        description="Seconds between being unready and draining: the time a load balancer needs to see it.",
    )
    gateway_drain_timeout_s: float = Field(
        default=20,
        gt=0,
        description="Seconds for sockets to leave before they are closed: below the supervisor's kill.",
    )
    gateway_reconnect_jitter_s: float = Field(
        default=5, ge=0, description="Clients of a draining gateway come back spread over so many seconds."
    )

    gateway_revocations_kept_s: float = Field(
        default=30 * 86_400,
        ge=60,
        description="Seconds for which revoked tokens are remembered: no less than the longest life of a token.",
    )
    gateway_position_check_s: float = Field(
        default=30,
        gt=0,
        le=600,
        description="Seconds between comparisons of a followed thread with the store: finds events that got lost.",
    )

    # --- what is gathered ---
    gateway_receipts_interval_s: float = Field(
        default=0.25, ge=0, description="Seconds over which a client's receipts are gathered into one command."
    )
    gateway_typing_interval_s: float = Field(
        default=2, ge=0, description="Seconds in which a user's typing is passed on once per thread; notices last 3 s."
    )

    @field_validator("gateway_allowed_origins", mode="before")
    @classmethod
    def _origins_are_whole(cls, value: object) -> object:
        entries = _listed(value)
        if not isinstance(entries, list):
            return value
        for entry in entries:
            if entry != ANY and parse_origin(entry) is None:
                raise ValueError("each origin is scheme://host or scheme://host:port, without a path or a wildcard")
        return frozenset(entries)

    @field_validator("gateway_trusted_proxies", mode="before")
    @classmethod
    def _proxies_are_networks(cls, value: object) -> object:
        entries = _listed(value)
        return tuple(entries) if isinstance(entries, list) else value

    @field_validator("gateway_jwt_secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            secret_key(value.get_secret_value().encode())
        return value

    @field_validator("gateway_jwt_public_key")
    @classmethod
    def _pem_is_a_public_key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        pem = value.replace("\\n", "\n")  # files of KEY=value lines cannot hold a line break
        pem_key(pem)
        return pem

    @field_validator("gateway_jwks_url")
    @classmethod
    def _jwks_is_a_url(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("an https:// address")
        return value

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.gateway_dev_mode and not is_loopback(self.gateway_published_host or self.gateway_host):
            yield (
                "GATEWAY_DEV_MODE believes anyone who connects: GATEWAY_HOST (in containers GATEWAY_PUBLISHED_HOST) "
                "must be 127.0.0.1, ::1 or localhost; "
                "for another address turn it off and set GATEWAY_JWT_SECRET, GATEWAY_JWT_PUBLIC_KEY or GATEWAY_JWKS_URL"
            )
        if not self.gateway_dev_mode and not self.checks_tokens:
            yield (
                "no key to check tokens with: set GATEWAY_JWT_SECRET, GATEWAY_JWT_PUBLIC_KEY or GATEWAY_JWKS_URL, or, "
                "to try it out on this machine, GATEWAY_DEV_MODE=true"
            )
        if self.gateway_heartbeat_timeout_s <= self.gateway_heartbeat_interval_s:
            yield "GATEWAY_HEARTBEAT_TIMEOUT_S must be longer than GATEWAY_HEARTBEAT_INTERVAL_S"
        if self.gateway_storage == "s3" and not self.gateway_s3_bucket:
            yield "GATEWAY_STORAGE=s3 needs GATEWAY_S3_BUCKET"
        if (self.gateway_s3_access_key is None) != (self.gateway_s3_secret_key is None):
            yield "GATEWAY_S3_ACCESS_KEY and GATEWAY_S3_SECRET_KEY go together"

    @property
    def checks_tokens(self) -> bool:
        """Whether any key is configured."""
        return any((self.gateway_jwt_secret, self.gateway_jwt_public_key, self.gateway_jwks_url))


def _listed(value: object) -> object:
    """A comma list as a list; sequences as lists; anything else as it is."""
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(",") if entry.strip()]
    return list(value) if isinstance(value, frozenset | set | list | tuple) else value

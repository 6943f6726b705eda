"""What the persister is told through its environment."""

from pathlib import Path

from pydantic import Field, SecretStr

from chatterbus_contracts.topology import DEFAULT_PARTITIONS
from chatterbus_runtime.settings import ServiceSettings


class PersisterSettings(ServiceSettings):
    """Settings of the persister; names in the environment are these in capitals."""

    persister_dsn: SecretStr = Field(description="PostgreSQL connection string (libpq URL or key=value form).")
    persister_read_dsn: SecretStr | None = Field(
        default=None, description="Another PostgreSQL for queries (a synchronous replica); default: the first one."
    )
    persister_partitions: int = Field(
        default=DEFAULT_PARTITIONS, ge=1, le=256, description="Partitions of the queue; fixed once the store exists."
    )
    persister_probe_host: str = Field(default="127.0.0.1", description="Where /healthz, /readyz and /metrics listen.")
    persister_probe_port: int = Field(default=0, ge=0, le=65535, description="Their port; 0 takes any free one.")
    persister_batch_commands: int = Field(
        default=1000, ge=1, le=10_000, description="Most commands in one transaction; more costs latency, not safety."
    )
    persister_cached_rows: int = Field(
        default=50_000, ge=0, description="Threads and members kept in memory between batches (about 0.5 KB each)."
    )
    persister_backlog_bytes: int = Field(
        default=16 * 1024 * 1024, ge=65_536, description="Bytes read ahead of the ledger, over all partitions."
    )
    persister_apply_timeout_s: float = Field(
        default=15.0, gt=0, description="Deadline of one transaction; beyond it the session is given up."
    )
    persister_idle_session_timeout_s: float = Field(
        default=20.0,
        ge=5,
        description="PostgreSQL ends a silent session then, which frees a frozen process's partitions.",
    )
    persister_rebalance_interval_s: float = Field(
        default=2.0, gt=0, description="How often the share of partitions is looked at."
    )
    persister_announce_timeout_s: float = Field(
        default=5.0, gt=0, description="How long JetStream has to confirm an event before it is published again."
    )
    persister_unannounced_batches: int = Field(
        default=8, ge=1, description="Committed batches waiting for their announcement; then the ledger waits."
    )
    persister_read_connections: int = Field(default=4, ge=1, le=64, description="Connections for queries.")
    persister_query_timeout_s: float = Field(default=4.0, gt=0, description="Deadline of one query.")
    persister_queries_waiting: int = Field(
        default=1024, ge=1, description="Queries waiting for a connection; more are refused."
    )
    persister_queue_max_bytes: int = Field(
        default=1 << 30, ge=1 << 16, description="Size of one partition's stream; a full one refuses."
    )
    persister_events_max_bytes: int = Field(
        default=1 << 30, ge=1 << 16, description="Size of the EVENTS stream; a full one forgets its oldest."
    )
    persister_stream_replicas: int = Field(
        default=1, ge=1, le=5, description="Copies of each stream in a NATS cluster."
    )
    persister_purge_interval_s: float = Field(
        default=1.0, gt=0, description="How often announced commands are removed from the queue."
    )
    persister_failpoints_dir: Path | None = Field(
        default=None, description="For tests only: a file of a failpoint's name in it kills the process there, once."
    )

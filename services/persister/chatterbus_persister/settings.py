"""What the persister is told through its environment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, field_validator

from chatterbus_contracts.topology import DEFAULT_PARTITIONS
from chatterbus_runtime.settings import ServiceSettings


class PersisterSettings(ServiceSettings):
    """Settings of the persister; names in the environment are these in capitals."""

    persister_dsn: SecretStr = Field(
        description="PostgreSQL connection string (libpq URL or key=value form).",
        examples=["postgresql://persister@db/chatterbus"],
    )
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
    persister_owners_may_edit: bool = Field(
        default=False, description="Whether a thread's owners may edit others' messages (deleting they always may)."
    )
    persister_receipts_broadcast_max_members: int = Field(
        default=100, ge=0, description="In larger threads receipts are stored and not told to everybody one by one."
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
    persister_search_language: str = Field(
        default="simple",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="PostgreSQL text search configuration (`simple`: whole words; `german`: stems and stop words). "
        "Another one rebuilds the index.",
    )
    persister_search_batch_messages: int = Field(
        default=200, ge=1, le=5_000, description="Most messages in one transaction of the indexer."
    )
    persister_search_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the time the ledger leaves it that the indexer works; the rest it leaves the machine.",
    )
    persister_collect_interval_s: float = Field(
        default=60.0, gt=0, description="How often files that nobody can reach are removed from the storage."
    )
    persister_unattached_ttl_s: float = Field(
        default=86_400.0, gt=0, description="How long an uploaded file waits for a message; over the 23 h it may take."
    )
    persister_storage: Literal["nats", "s3"] = Field(
        default="nats", description="Where files are kept; as GATEWAY_STORAGE."
    )
    persister_storage_timeout_s: float = Field(default=10, gt=0, description="Deadline of one request to the storage.")
    persister_s3_bucket: str = Field(default="", description="The bucket for files; as GATEWAY_S3_BUCKET.")
    persister_s3_endpoint: str | None = Field(
        default=None, description="URL of the S3-compatible store; unset: AWS. As GATEWAY_S3_ENDPOINT."
    )
    persister_s3_region: str | None = Field(default=None, description="Region of the bucket; as GATEWAY_S3_REGION.")
    persister_s3_access_key: SecretStr | None = Field(
        default=None, description="Access key id; it needs only to delete. Unset: what the environment gives."
    )
    persister_s3_secret_key: SecretStr | None = Field(default=None, description="Secret of PERSISTER_S3_ACCESS_KEY.")
    persister_failpoints_dir: Path | None = Field(
        default=None, description="For tests only: a file of a failpoint's name in it kills the process there, once."
    )

    @field_validator("persister_dsn", "persister_read_dsn")
    @classmethod
    def _dsn_can_be_read(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            conninfo_to_dict(value.get_secret_value() if value else "")
        except ProgrammingError:
            # Its own text would quote the value.
            raise ValueError("write postgresql://user:password@host/database, or host=... user=...") from None
        return value

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.persister_storage == "s3" and not self.persister_s3_bucket:
            yield "PERSISTER_STORAGE=s3 needs PERSISTER_S3_BUCKET"
        if (self.persister_s3_access_key is None) != (self.persister_s3_secret_key is None):
            yield "PERSISTER_S3_ACCESS_KEY and PERSISTER_S3_SECRET_KEY go together"

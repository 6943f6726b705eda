"""What the notifier is told through its environment."""

from __future__ import annotations

from pydantic import Field, field_validator

from chatterbus_notifier.shard import Shard
from chatterbus_runtime.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    notifier_shard: str = Field(
        default="0/1",
        description="Which users: shard i of n, as i/n. Run each once, or twice for a standby; all with the same n.",
    )
    notifier_lead_ttl_s: float = Field(
        default=10, ge=2, description="Seconds after which a silent leader's shard passes to its standby."
    )
    notifier_store_timeout_s: float = Field(default=5, gt=0, description="Seconds to wait for the answer to a query.")
    notifier_stream_replicas: int = Field(default=1, ge=1, le=5, description="Copies of each stream in a NATS cluster.")

    # --- presence ---
    notifier_offline_debounce_s: float = Field(
        default=5, ge=0, description="Seconds without a connection after which a user is offline."
    )
    notifier_moving_grace_s: float = Field(
        default=15, ge=0, description="The same for users whose gateway is draining: they were told to come back."
    )

    # --- the process ---
    notifier_probe_host: str = Field(
        default="127.0.0.1",
        description="Address /healthz, /readyz and /metrics listen on; they have no authentication.",
    )
    notifier_probe_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the probes; 0 takes a free one and logs it."
    )

    @field_validator("notifier_shard")
    @classmethod
    def _shard_is_one(cls, value: str) -> str:
        Shard.parse(value)
        return value

    @property
    def shard(self) -> Shard:
        """The parsed shard."""
        return Shard.parse(self.notifier_shard)

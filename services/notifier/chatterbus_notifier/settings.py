"""What the notifier is told through its environment."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, SecretStr, field_validator

from chatterbus_contracts.webhooks import HOOK_BODIES, MISSED
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.signature import parse_secrets
from chatterbus_notifier.webhooks.target import Target, parse_target
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

    # --- unread counts ---
    notifier_unread_interval_s: float = Field(
        default=0.25, gt=0, description="Seconds between two unread frames of one thread to one user; the last is sent."
    )

    # --- missed messages ---
    notifier_missed_after_s: float = Field(
        default=30, gt=0, description="Seconds a message is unread, with no active device there, until it is missed."
    )
    notifier_missed_interval_s: float = Field(
        default=300, ge=0, le=86_400, description="Least seconds between two such events of one user and thread."
    )

    # --- webhooks ---
    notifier_webhook_url: SecretStr | None = Field(
        default=None,
        description="Where events are posted, https://...; unset: no webhooks. A secret, for it may hold a token.",
    )
    notifier_webhook_secret: SecretStr | None = Field(
        default=None,
        description="Key of signatures, whsec_<base64 of 24 to 64 bytes>; two, separated by a space, to replace one.",
    )
    notifier_webhook_events: str = Field(
        default=MISSED, description=f"Which events, comma-separated: {', '.join(HOOK_BODIES)}."
    )
    notifier_webhook_allow_private: bool = Field(
        default=False, description="Whether they may go to private addresses and over plain http."
    )
    notifier_webhook_timeout_s: float = Field(
        default=10, gt=0, le=60, description="Seconds an attempt may take, from resolving the name to the answer."
    )
    notifier_webhook_concurrency: int = Field(default=16, ge=1, le=256, description="Attempts under way at a time.")
    notifier_webhook_retry_for_s: float = Field(
        default=86_400, ge=1, le=172_800, description="Seconds from an event's first attempt until it is given up."
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

    @field_validator("notifier_webhook_secret")
    @classmethod
    def _secret_is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_secrets(value.get_secret_value())
        return value

    @field_validator("notifier_webhook_events")
    @classmethod
    def _events_are_known(cls, value: str) -> str:
        if not _listed(value) or _listed(value) - set(HOOK_BODIES):
            raise ValueError(f"the events are {', '.join(HOOK_BODIES)}")
        return value

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.notifier_webhook_url is not None and self.notifier_webhook_secret is None:
            yield "NOTIFIER_WEBHOOK_URL needs NOTIFIER_WEBHOOK_SECRET"
        try:
            _ = self.webhook_target
        except ValueError as error:
            yield f"NOTIFIER_WEBHOOK_URL: {error}"

    @property
    def shard(self) -> Shard:
        """The parsed shard."""
        return Shard.parse(self.notifier_shard)

    @property
    def webhook_target(self) -> Target | None:
        """Where webhooks go; None: nowhere."""
        if self.notifier_webhook_url is None:
            return None
        url = self.notifier_webhook_url.get_secret_value()
        return parse_target(url, allow_private=self.notifier_webhook_allow_private)

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The keys to sign with."""
        secret = self.notifier_webhook_secret
        return () if secret is None else parse_secrets(secret.get_secret_value())

    @property
    def webhook_events(self) -> frozenset[str]:
        """The types of events that are wanted; none without a URL."""
        return frozenset() if self.notifier_webhook_url is None else _listed(self.notifier_webhook_events)


def _listed(value: str) -> frozenset[str]:
    return frozenset(entry.strip() for entry in value.split(",") if entry.strip())

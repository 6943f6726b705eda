"""What the notifier is told through its environment."""

from __future__ import annotations

from pydantic import Field

from chatterbus_runtime.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    notifier_probe_host: str = Field(
        default="127.0.0.1",
        description="Address /healthz, /readyz and /metrics listen on; they have no authentication.",
    )
    notifier_probe_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the probes; 0 takes a free one and logs it."
    )

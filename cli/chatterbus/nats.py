"""The embedded nats-server: its configuration file. Pure.

JetStream's fsync interval is 10 s here: an ack means "in PostgreSQL", so the queue need only survive a killed process,
which it does without any fsync. One user with a generated password, because any local user can reach a loopback port.
"""

import json
from dataclasses import dataclass
from pathlib import Path

USER = "chatterbus"
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""Larger than a batch of acks or a page of 200 long messages; nats-server's default of 1 MB is not."""
SYNC_INTERVAL = "10s"


@dataclass(frozen=True)
class NatsServer:
    """One embedded server: where it listens and where its streams are."""

    port: int
    monitor_port: int
    store: Path
    password: str

    @property
    def url(self) -> str:
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    @property
    def health_url(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}/healthz"

    def configuration(self) -> str:
        """The text of nats.conf (JSON is a subset of the format)."""
        return json.dumps(
            {
                "server_name": "chatterbus-embedded",
                "listen": f"127.0.0.1:{self.port}",
                "http": f"127.0.0.1:{self.monitor_port}",
                "max_payload": MAX_PAYLOAD_BYTES,
                "jetstream": {"store_dir": str(self.store), "sync_interval": SYNC_INTERVAL},
                "authorization": {"user": USER, "password": self.password},
            },
            indent=2,
        )

"""Where positions are kept: a bucket on disk, an entry for each shard that ever was.

Promises: `load` answers from all entries, so that the number of shards may change; both raise BucketUnavailable within
their deadline. An entry that cannot be read counts as absent: more is delivered again, and nothing is lost.
"""

from __future__ import annotations

from typing import Final

import structlog

from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.position import Kept, Start, decode_position, key_of, shard_of, start_of
from chatterbus_runtime.bucket import Bucket, BucketSpec
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

BUCKET: Final = "webhook_positions"
BUCKET_MAX_BYTES: Final = 32 << 20
TIMEOUT_S: Final = 5.0


class PositionStore:
    """Of one shard."""

    def __init__(self, link: NatsLink, shard: Shard, replicas: int) -> None:
        spec = BucketSpec(BUCKET, "how far webhooks are delivered", BUCKET_MAX_BYTES, replicas=replicas)
        self._bucket = Bucket(link, spec, TIMEOUT_S)
        self._shard = shard

    async def load(self, stream: str) -> Start:
        """Where to go on in the stream that was made at `stream`."""
        kept = []
        for key in await self._bucket.keys():
            entry = await self._bucket.get(key)
            position = None if entry is None else decode_position(entry.value)
            if entry is None or position is None:
                log.warning("a position of webhooks cannot be read", key=key)
                continue
            kept.append(Kept(shard_of(key), entry.revision, position))
        return start_of(kept, self._shard, stream)

    async def save(self, entry: bytes) -> None:
        """Keep it."""
        await self._bucket.put(key_of(self._shard), entry)

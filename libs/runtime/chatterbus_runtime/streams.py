"""Brings JetStream streams to what a table of them says.

Promises: a stream that exists is brought to its spec's limits and subjects if it differs, never deleted; a spec that
can not be met is an error, not a silent difference.
"""

from typing import Literal, Protocol

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError


class StreamShape(Protocol):
    """One row of the table. `discard` new: a full stream refuses; old: it forgets its oldest."""

    @property
    def name(self) -> str: ...
    @property
    def subjects(self) -> tuple[str, ...]: ...
    @property
    def discard(self) -> Literal["new", "old"]: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def max_age_s(self) -> int: ...
    @property
    def duplicate_window_s(self) -> int: ...


def config_of(shape: StreamShape, replicas: int) -> StreamConfig:
    """The shape in the words of JetStream."""
    return StreamConfig(
        name=shape.name,
        subjects=list(shape.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW if shape.discard == "new" else DiscardPolicy.OLD,
        max_bytes=shape.max_bytes,
        max_age=shape.max_age_s,
        duplicate_window=shape.duplicate_window_s,
        num_replicas=replicas,
        max_consumers=-1,
        max_msgs=-1,
    )


async def ensure_stream(jetstream: JetStreamContext, shape: StreamShape, replicas: int) -> None:
    """Create the stream, or bring it to its shape."""
    config = config_of(shape, replicas)
    try:
        await jetstream.stream_info(shape.name)
    except NotFoundError:
        try:
            await jetstream.add_stream(config)
        except BadRequestError:
            # Another instance created it in this moment, perhaps with other sizes.
            await jetstream.update_stream(config)
    else:
        await jetstream.update_stream(config)

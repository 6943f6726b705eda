"""Creates what the topology says, and asks about it.

Promises: a stream that exists is brought to its spec's limits if it differs, never deleted; a spec that can not be
met is an error, not a silent difference.
"""

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

from chatterbus_contracts.topology import StreamSpec
from chatterbus_persister.epochs import StreamFacts


def config_of(spec: StreamSpec, replicas: int) -> StreamConfig:
    """The spec in the words of JetStream."""
    return StreamConfig(
        name=spec.name,
        subjects=list(spec.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW if spec.discard == "new" else DiscardPolicy.OLD,
        max_bytes=spec.max_bytes,
        max_age=spec.max_age_s,
        duplicate_window=spec.duplicate_window_s,
        num_replicas=replicas,
        max_consumers=-1,
        max_msgs=-1,
    )


async def ensure_stream(jetstream: JetStreamContext, spec: StreamSpec, replicas: int) -> None:
    """Create the stream, or bring it to its spec."""
    config = config_of(spec, replicas)
    try:
        await jetstream.stream_info(spec.name)
    except NotFoundError:
        try:
            await jetstream.add_stream(config)
        except BadRequestError:
            # Another instance created it in this moment, perhaps with other sizes.
            await jetstream.update_stream(config)
    else:
        await jetstream.update_stream(config)


async def facts_of(jetstream: JetStreamContext, name: str) -> StreamFacts:
    """Creation time, first and last sequence. Raises NotFoundError."""
    info = await jetstream.stream_info(name)
    created = "" if info.created is None else info.created.isoformat()
    return StreamFacts(created, info.state.first_seq, info.state.last_seq)

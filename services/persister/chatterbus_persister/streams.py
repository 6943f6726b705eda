"""What the ledger asks about a stream."""

from nats.js import JetStreamContext

from chatterbus_persister.epochs import StreamFacts


async def facts_of(jetstream: JetStreamContext, name: str) -> StreamFacts:
    """Creation time, first and last sequence. Raises NotFoundError."""
    info = await jetstream.stream_info(name)
    created = "" if info.created is None else info.created.isoformat()
    return StreamFacts(created, info.state.first_seq, info.state.last_seq)

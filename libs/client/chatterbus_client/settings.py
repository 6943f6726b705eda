"""Every number the client goes by: its default, its unit and the reason for it. Pass a changed copy to Client."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Times in seconds, bounds in items. The defaults suit an app on a phone network and a bot in a data centre."""

    # Deadlines
    connect_timeout_s: float = 10.0  # opening handshake, TLS included
    auth_timeout_s: float = 10.0  # the gateway closes sockets that stay silent; so do we
    write_timeout_s: float = 10.0  # a peer that does not read for so long is as good as gone
    doubt_s: float = 3.0  # an answer is awaited and nothing at all is heard: ask whether the gateway lives
    patience_s: float = 5.0  # and so long for a sign of life; a starved machine may need seconds. Idle: two heartbeats
    close_timeout_s: float = 2.0  # the goodbye is a courtesy
    request_timeout_s: float = 10.0  # one REST call, one subscribe, one edit: waiting for a connection included
    transfer_timeout_s: float = 30.0  # one step of an upload or a download; a file as a whole has no deadline
    token_timeout_s: float = 10.0  # the application's token callback
    renew_pause_s: float = 5.0  # between two renewals: tokens that live too short must not become a loop
    send_timeout_s: float = 60.0  # how long `send` waits for `sent`; the message stays in the outbox beyond it
    drain_timeout_s: float = 5.0  # how long leaving `async with` waits for what was posted

    # Coming back
    reconnect_initial_s: float = 1.0  # the first delay is anything from 0 to this
    reconnect_maximum_s: float = 30.0  # a service is fully back within 30 s of a restart; so is everyone
    stable_after_s: float = 10.0  # a connection that lived this long starts the delays anew

    # The outbox
    outbox_max: int = 1_000  # messages; post() refuses beyond it, since memory and files end
    in_flight_per_thread: int = 1  # 1: stored in the order posted, come what may. More: faster; a message refused
    # for now (queue full) may then be overtaken by those under way behind it
    in_flight_max: int = 64  # messages over all threads; a gateway refuses senders far ahead of their answers
    ack_timeout_s: float = 15.0  # no answer: ask again with the same id
    queued_timeout_s: float = 60.0  # "queued", and then nothing: ask again with the same id
    retry_initial_s: float = 0.25  # after a refusal that may pass; doubles
    retry_maximum_s: float = 10.0
    retries: int | None = None  # how many such refusals a message survives; None: any number

    # Receipts
    receipts_pause_s: float = 0.2  # between two tellings; a reader scrolls faster than anyone needs to know. Also how
    # long an automatic "delivered" waits for the "read" that makes it needless

    # People
    presence_max: int = 10_000  # users whose presence is kept: a hundred threads of a hundred members
    presence_settles_s: float = 10.0  # after a reconnect: people of whom nothing was told until then are forgotten
    presence_pause_s: float = 1.0  # a watch that was refused for now is asked again after it
    writers_max: int = 1_000  # people shown as writing; nobody reads more names

    # Files
    chunk_bytes: int = 65_536  # pieces in which a file is read, sent and written
    download_retries: int = 5  # how often a broken download goes on from where it broke

    # HTTP fallback
    fallback_after_s: float = 3.0  # shorter cuts heal by themselves
    fallback_poll_s: float = 1.0  # a 202 is asked for again at this pace

    # Views and events
    events_max: int = 10_000  # events a stream holds for a slow reader
    thread_messages_max: int = 5_000  # newest messages a thread's view keeps
    held_events_max: int = 1_000  # events held above a gap; beyond it they are fetched instead
    frame_max_bytes: int = 4 * MIB  # largest frame taken from a server

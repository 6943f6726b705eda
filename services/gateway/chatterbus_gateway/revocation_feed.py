"""Revocations, told to every gateway.

Promises: what `revoke` answered is kept by NATS, on disk, and reaches every gateway that has a link to it within
moments; one whose link was away reads on from where it was; one that starts has read what is kept before it lets
anybody in, or says in the log that it could not. Does not promise that a gateway without NATS hears of a revocation
before its link is back. If the bucket is deleted by hand, gateways that run remember, those that start later do not.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog
from nats.errors import Error as NatsError
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.rest import Revocation
from chatterbus_gateway.revocations import Revocations
from chatterbus_gateway.wall_time import iso_time
from chatterbus_runtime.bucket import Bucket, BucketSpec, BucketUnavailable
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_follower import StreamFollower

log: Final = structlog.stdlib.get_logger(__name__)

NAME: Final = "revocations"
STREAM: Final = f"KV_{NAME}"
MAX_BYTES: Final = 64 * 1024 * 1024  # overflow: revoking is refused until entries end
CALL_TIMEOUT_S: Final = 5.0
READ_WITHIN_S: Final = 5.0
RETRY_AFTER_MS: Final = 1_000
_REVOCATION: Final[TypeAdapter[Revocation]] = TypeAdapter(Revocation)


class RevocationFeed:
    """`run` it as a background task, then await `caught_up`. `on_revoked` is called after each that was read."""

    def __init__(self, link: NatsLink, revocations: Revocations, kept_s: float, replicas: int = 1) -> None:
        spec = BucketSpec(NAME, "tokens that were taken back", MAX_BYTES, ttl_s=kept_s, replicas=replicas)
        self._link = link
        self._bucket = Bucket(link, spec, CALL_TIMEOUT_S)
        self._revocations = revocations
        self._follower = StreamFollower(link, STREAM, self._arrived, lambda _: None)
        self._read = asyncio.Event()
        self.on_revoked: Callable[[Revocation], None] = lambda _: None

    async def run(self) -> None:
        """Read for ever what is revoked anywhere."""
        with suppress(BucketUnavailable):
            await self._bucket.get("none")  # which makes the bucket where there is none
        await self._follower.run(1)

    async def caught_up(self) -> None:
        """What was revoked until now has been read; after READ_WITHIN_S that is given up, with a log line."""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                await self._follower.following.wait()
                info = await self._link.jetstream.stream_info(STREAM)
                while info.state.messages and self._follower.position < info.state.last_seq:
                    self._read.clear()
                    await self._read.wait()
        except (TimeoutError, NatsError) as error:
            log.warning("revoked tokens could not be read in time; they are let in until they are", reason=repr(error))

    def link_found(self) -> None:
        """NATS was away."""
        self._follower.link_returned()

    async def revoke(self, token_id: str | None, user_id: UserId | None) -> Revocation:
        """Take back a token, or all of a user's until now. Raises Refusal STORE_UNAVAILABLE."""
        revocation = Revocation(token_id=token_id, user_id=user_id, revoked_at=iso_time(time.time()))
        try:
            await self._bucket.put(key_of(revocation), encode(revocation))
        except BucketUnavailable:
            raise Refusal(
                ErrorCode.STORE_UNAVAILABLE, "nothing can be revoked at the moment", retry_after_ms=RETRY_AFTER_MS
            ) from None
        self._apply(revocation)  # the others hear of it as this one will, once more
        return revocation

    def _arrived(self, _stream_seq: int, message: Message) -> None:
        self._read.set()
        if not message.data:  # deleted by hand: it stays revoked where it was read
            return
        try:
            revocation = decode(_REVOCATION, message.data)
        except DecodeError:
            log.error("a revocation cannot be read", bucket=NAME)
            return
        self._apply(revocation)

    def _apply(self, revocation: Revocation) -> None:
        at_s = datetime.fromisoformat(revocation.revoked_at).timestamp()
        if revocation.token_id is not None:
            self._revocations.revoke_token(revocation.token_id, at_s)
        if revocation.user_id is not None:
            self._revocations.revoke_user(revocation.user_id, at_s)
        self.on_revoked(revocation)


def key_of(revocation: Revocation) -> str:
    """Under what it is kept: any id has a hash that is a key."""
    kind, value = ("token", revocation.token_id) if revocation.token_id is not None else ("user", revocation.user_id)
    return f"{kind}.{hashlib.sha256((value or '').encode()).hexdigest()}"

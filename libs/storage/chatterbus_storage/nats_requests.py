"""The few requests to JetStream that objects need, each with a deadline.

Promises: whatever goes wrong is a StorageUnavailable that says which request failed. A message is read from any
replica, and from the leader when that replica does not have it yet.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from chatterbus_runtime.jetstream_publisher import PubAck, outcome_of
from chatterbus_runtime.link_errors import LinkError, NoResponders
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_storage.errors import StorageUnavailable

API: Final = "$JS.API"
STREAM_NAME_IN_USE: Final = 10058  # it exists, with other limits: an operator's
NOT_FOUND: Final = frozenset({10037, 10059})  # the message; the stream
LEADERLESS_RETRIES: Final = 3
LEADERLESS_WAIT_S: Final = 0.25  # a new stream has no leader for a moment, and one that changes it neither


class StreamRequests:
    """For one stream."""

    def __init__(self, link: NatsLink, stream: str, timeout_s: float) -> None:
        self._link = link
        self._stream = stream
        self._timeout_s = timeout_s

    async def create(self, config: Mapping[str, Any]) -> None:
        """The stream exists."""
        answer = await self._api("STREAM.CREATE", json.dumps(config).encode())
        _check(answer, "create", passing=frozenset({STREAM_NAME_IN_USE}))

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> int:
        """The stream has it; its sequence."""
        for _ in range(LEADERLESS_RETRIES):
            try:
                outcome = outcome_of(await self._ask(subject, payload, headers))
                break
            except NoResponders:
                await asyncio.sleep(LEADERLESS_WAIT_S)
        else:
            raise StorageUnavailable("publish: no stream takes it")
        if not isinstance(outcome, PubAck):
            raise StorageUnavailable(f"publish: {outcome.detail}")
        return outcome.seq

    async def purge(self, subject: str) -> None:
        """Nothing is left of the subject."""
        answer = await self._api("STREAM.PURGE", json.dumps({"filter": subject}).encode())
        _check(answer, "purge", passing=NOT_FOUND)

    async def last(self, subject: str) -> bytes | None:
        """The newest message of the subject, from the leader, so that what was published is seen."""
        found = await self._from_leader({"last_by_subj": subject})
        return None if found is None else found[1]

    async def read(self, subject: str, seq: int) -> bytes | None:
        """The message at the sequence, if it is of the subject."""
        found = await self._from_any({"seq": seq}) or await self._from_leader({"seq": seq})
        return found[1] if found is not None and found[2] == subject else None

    async def read_from(self, subject: str, seq: int) -> tuple[int, bytes] | None:
        """(sequence, payload) of the subject's first message at the sequence or after."""
        question = {"seq": seq, "next_by_subj": subject}
        found = await self._from_any(question) or await self._from_leader(question)
        return None if found is None else found[:2]

    async def _from_any(self, question: Mapping[str, Any]) -> tuple[int, bytes, str] | None:
        subject = f"{API}.DIRECT.GET.{self._stream}"
        try:
            message = await self._link.request(subject, json.dumps(question).encode(), self._timeout_s)
        except NoResponders:
            return None  # no such stream, or one without direct answers
        except (LinkError, TimeoutError) as error:
            raise _failed("read", error) from error
        headers = message.headers or {}
        if message.status is not None or "Nats-Sequence" not in headers:
            return None
        return int(headers["Nats-Sequence"]), message.data, headers.get("Nats-Subject", "")

    async def _from_leader(self, question: Mapping[str, Any]) -> tuple[int, bytes, str] | None:
        answer = await self._api("STREAM.MSG.GET", json.dumps(question).encode())
        _check(answer, "read", passing=NOT_FOUND)
        message = answer.get("message")
        if message is None:
            return None
        return int(message["seq"]), base64.b64decode(message.get("data") or ""), str(message["subject"])

    async def _api(self, verb: str, payload: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(await self._ask(f"{API}.{verb}.{self._stream}", payload, None))
        except NoResponders as error:
            raise StorageUnavailable(f"{verb}: JetStream does not answer") from error
        except ValueError as error:
            raise StorageUnavailable(f"{verb}: the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise StorageUnavailable(f"{verb}: the answer is no object")
        return answer

    async def _ask(self, subject: str, payload: bytes, headers: Mapping[str, str] | None) -> bytes:
        try:
            return (await self._link.request(subject, payload, self._timeout_s, headers)).data
        except NoResponders:
            raise
        except (LinkError, TimeoutError) as error:
            raise _failed("request", error) from error


def _check(answer: Mapping[str, Any], what: str, *, passing: frozenset[int]) -> None:
    error = answer.get("error")
    if error is not None and error.get("err_code") not in passing:
        raise StorageUnavailable(f"{what}: {error.get('description', '')} ({error.get('err_code')})")


def _failed(what: str, error: Exception) -> StorageUnavailable:
    return StorageUnavailable(f"{what}: {str(error) or type(error).__name__}")

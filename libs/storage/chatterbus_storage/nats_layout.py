"""How an object lies in a JetStream stream: the layout of the NATS object store (ADR-20 of NATS). Pure.

Promises: `nats object` and the clients of NATS read what is described here, and the other way round. One thing is added
in the place ADR-20 has for such things, the object's metadata: the stream sequences of the chunks, so that a range is
read from its first chunk on. Objects of others, without it, are walked through chunk by chunk.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

CHUNK_BYTES: Final = 128 * 1024  # ADR-20's default
CHUNK_SEQS: Final = "chatterbus-chunk-seqs"
CONTENT_TYPE: Final = "chatterbus-content-type"
DIGEST_PREFIX: Final = "SHA-256="
ROLLUP_HEADERS: Final = {"Nats-Rollup": "sub"}  # the new description takes the place of the old one
DEFAULT_TYPE: Final = "application/octet-stream"


def stream_name(bucket: str) -> str:
    """The stream of a bucket."""
    return f"OBJ_{bucket}"


def chunk_subject(bucket: str, nuid: str) -> str:
    """Where the chunks of one put are."""
    return f"$O.{bucket}.C.{nuid}"


def meta_subject(bucket: str, key: str) -> str:
    """Where the description of an object is."""
    return f"$O.{bucket}.M.{base64.urlsafe_b64encode(key.encode()).decode()}"


def stream_config(bucket: str, replicas: int) -> dict[str, Any]:
    """The stream of a bucket, as JetStream's API takes it. Full, it refuses; how much it may hold is the account's."""
    return {
        "name": stream_name(bucket),
        "subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"],
        "retention": "limits",
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
    }


@dataclass(frozen=True, slots=True)
class StoredInfo:
    """The description of an object. `chunk_seqs` is None when it is not known where the chunks are."""

    bucket: str
    key: str
    nuid: str
    size: int
    chunks: int
    chunk_bytes: int
    digest: bytes | None
    content_type: str
    chunk_seqs: tuple[int, ...] | None
    deleted: bool = False

    def encoded(self, mtime: str) -> bytes:
        """ObjectInfo, as JSON."""
        fields: dict[str, Any] = {
            "name": self.key,
            "bucket": self.bucket,
            "nuid": self.nuid,
            "size": self.size,
            "chunks": self.chunks,
            "mtime": mtime,
            "options": {"max_chunk_size": self.chunk_bytes},
        }
        if self.digest is not None:
            fields["digest"] = DIGEST_PREFIX + base64.urlsafe_b64encode(self.digest).decode()
        if self.deleted:
            fields["deleted"] = True
        else:
            seqs = {} if self.chunk_seqs is None else {CHUNK_SEQS: runs_text(self.chunk_seqs)}
            fields["metadata"] = {CONTENT_TYPE: self.content_type, **seqs}
        return json.dumps(fields).encode()


def parse_info(data: bytes) -> StoredInfo:
    """The inverse of `encoded`, for anyone's ObjectInfo. Raises ValueError."""
    try:
        fields = json.loads(data)
        metadata = fields.get("metadata") or {}
        digest = str(fields.get("digest") or "").removeprefix(DIGEST_PREFIX)
        seqs = metadata.get(CHUNK_SEQS)
        return StoredInfo(
            bucket=str(fields["bucket"]),
            key=str(fields["name"]),
            nuid=str(fields["nuid"]),
            size=int(fields.get("size") or 0),
            chunks=int(fields.get("chunks") or 0),
            chunk_bytes=int((fields.get("options") or {}).get("max_chunk_size") or CHUNK_BYTES),
            digest=base64.urlsafe_b64decode(digest) if digest else None,
            content_type=str(metadata.get(CONTENT_TYPE) or DEFAULT_TYPE),
            chunk_seqs=None if seqs is None else tuple(parse_runs(seqs)),
            deleted=bool(fields.get("deleted")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an ObjectInfo: {type(error).__name__}") from error


def runs_text(seqs: Iterable[int]) -> str:
    """Growing numbers as runs: 5 6 7 9 is `5+3 9+1`, so that a chunk costs a byte or nothing."""
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([seq, 1])
    return " ".join(f"{first}+{count}" for first, count in runs)


def parse_runs(text: str) -> Iterator[int]:
    """The inverse of runs_text. Raises ValueError."""
    for run in text.split():
        first, _, count = run.partition("+")
        yield from range(int(first), int(first) + int(count))

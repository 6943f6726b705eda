"""Places in the two orders of search results, as opaque texts. Pure.

Promises: a cursor read back is the place that was written; what is none of ours is refused, whatever is in it.
"""

import base64
import math
from dataclasses import dataclass
from datetime import datetime

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, parse_thread_id

SEQ_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A message that matches; they are ordered by time, then thread, then seq."""

    created_at: datetime
    thread_id: ThreadId
    seq: int


@dataclass(frozen=True, slots=True)
class RankPlace:
    """The last hit of a page by rank. `until` bounds what was ranked, so that later messages move nothing."""

    until: datetime
    rank: float
    hit: Hit


def newest_cursor(hit: Hit) -> str:
    return _written([hit.created_at.isoformat(), hit.thread_id, hit.seq])


def parse_newest_cursor(cursor: str | None) -> Hit | None:
    """Raises Refusal BAD_REQUEST."""
    if cursor is None:
        return None
    try:
        return _hit(*_read(cursor))
    except (ValueError, TypeError, DecodeError):
        raise _not_ours() from None


def rank_cursor(place: RankPlace) -> str:
    hit = place.hit
    return _written([place.until.isoformat(), place.rank, hit.created_at.isoformat(), hit.thread_id, hit.seq])


def parse_rank_cursor(cursor: str | None) -> RankPlace | None:
    """Raises Refusal BAD_REQUEST."""
    if cursor is None:
        return None
    try:
        until, rank, *hit = _read(cursor)
        if not isinstance(rank, float) or not math.isfinite(rank) or abs(rank) > 1e30:
            raise ValueError("no rank")
        return RankPlace(_time(until), rank, _hit(*hit))
    except (ValueError, TypeError, DecodeError):
        raise _not_ours() from None


def _hit(created_at: object, thread_id: object, seq: object) -> Hit:
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq <= SEQ_MAX:
        raise ValueError("no seq")
    return Hit(_time(created_at), parse_thread_id(str(thread_id)), seq)


def _time(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None or not 1970 <= at.year < 9999:
        raise ValueError("no time")
    return at


def _written(place: list[object]) -> str:
    return base64.urlsafe_b64encode(encode_json(place)).decode()


def _read(cursor: str) -> list[object]:
    place = parse_json(base64.urlsafe_b64decode(cursor))
    if not isinstance(place, list):
        raise ValueError("no place")
    return place


def _not_ours() -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, "cursor: not one of ours")

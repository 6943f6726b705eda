from __future__ import annotations

import pytest

from chatterbus_runtime.jetstream_publisher import PubAck, PublishFailure, outcome_of


def test_an_acknowledgement_is_read() -> None:
    assert outcome_of(b'{"stream":"S", "seq":7}') == PubAck("S", 7, duplicate=False)
    assert outcome_of(b'{"stream":"S", "domain":"hub", "seq":7, "duplicate": true}') == PubAck("S", 7, duplicate=True)


@pytest.mark.parametrize(
    ("err_code", "description", "reason"),
    [
        (10077, "maximum messages exceeded", "full"),
        (10077, "maximum bytes exceeded", "full"),
        (10077, "write failed", "unavailable"),
        (10023, "insufficient resources", "full"),
        (10047, "insufficient storage resources available", "full"),
        (10054, "message size exceeds maximum allowed", "too_large"),
        (10008, "JetStream system temporarily unavailable", "unavailable"),
        (99999, "something new", "unavailable"),
    ],
)
def test_a_refusal_is_rejected_with_its_reason(err_code: int, description: str, reason: str) -> None:
    answer = b'{"error":{"code":400,"err_code":%d,"description":"%s"}}' % (err_code, description.encode())
    assert outcome_of(answer) == PublishFailure(reason, "rejected", f"{description} ({err_code})")  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b"+ACK", b'{"error": 1}', b'{"stream": "S", "seq": null}'])
def test_what_is_no_acknowledgement_has_unknown_fate(answer: bytes) -> None:
    outcome = outcome_of(answer)
    assert isinstance(outcome, PublishFailure)
    assert outcome.fate == "unknown"

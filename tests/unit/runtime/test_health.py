from __future__ import annotations

from chatterbus_runtime.health import Health


def test_a_declared_check_that_was_never_set_is_not_ready() -> None:
    health = Health("nats")
    assert not health.ready
    health.set("nats", ok=True)
    assert health.ready


def test_one_failing_check_is_not_ready_and_the_report_says_why() -> None:
    health = Health()
    health.set("nats", ok=True)
    health.set("database", ok=False, detail="no answer")
    assert health.report() == {
        "ready": False,
        "draining": False,
        "checks": {"nats": {"ok": True, "detail": ""}, "database": {"ok": False, "detail": "no answer"}},
    }


def test_a_draining_process_is_not_ready() -> None:
    health = Health()
    assert health.ready
    health.draining = True
    assert not health.ready
    assert health.report()["draining"] is True

"""`python -m chatterbus_notifier`: the notifier as a process."""

from __future__ import annotations

from functools import partial

from chatterbus_notifier.app import DRAIN_TIMEOUT_S, serve
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_runtime.lifecycle import run
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load


def main() -> None:
    settings = load(NotifierSettings)
    configure_logging("notifier", settings.log_level, settings.log_format)
    run(partial(serve, settings), drain_timeout_s=DRAIN_TIMEOUT_S)


if __name__ == "__main__":
    main()

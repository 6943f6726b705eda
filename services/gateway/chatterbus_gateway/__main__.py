"""python -m chatterbus_gateway"""

import sys

from chatterbus_gateway.app import main
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_runtime.lifecycle import run
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load


def start() -> int:
    """The exit code."""
    settings = load(GatewaySettings)
    configure_logging("gateway", settings.log_level, settings.log_format)
    return run(lambda lifecycle: main(lifecycle, settings), drain_timeout_s=settings.gateway_drain_timeout_s)


if __name__ == "__main__":
    sys.exit(start())

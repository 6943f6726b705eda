"""`python -m chatterbus_runtime.probe VARIABLE`: is the service whose port that variable names ready?

For an image's health check, where there is no curl: exit code 0 when /readyz on this machine answers 200, else 1 and
one line why. Promises to end within `DEADLINE_S`, and to import next to nothing, for it is started every few seconds.
"""

import os
import socket
import sys
from typing import Final

DEADLINE_S: Final = 3.0
ENOUGH_BYTES: Final = 4096  # the status line and the report of a few checks
REQUEST: Final = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n"


def ask(port: int) -> tuple[bool, str]:
    """Whether it is ready, and the answer's last line (or what went wrong)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as connection:
            connection.sendall(REQUEST)
            answer = b""
            while len(answer) < ENOUGH_BYTES and (piece := connection.recv(ENOUGH_BYTES)):
                answer += piece
    except OSError as error:
        return False, f"port {port}: {error or type(error).__name__}"
    status, _, rest = answer.decode("utf-8", "replace").partition("\r\n")
    return status.split(" ")[1:2] == ["200"], rest.rstrip().rpartition("\n")[2] or status


def main(variable: str) -> int:
    """The exit code."""
    ready, said = ask(int(os.environ.get(variable) or 0))
    sys.stdout.write(f"{said}\n")
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

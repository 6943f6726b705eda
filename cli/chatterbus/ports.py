"""TCP ports: free ones for the inner services, and an honest refusal when the public one is taken.

Inner ports come from below the kernel's ephemeral range. A port inside it can be taken by an outgoing connection
while its owner restarts, and a client that keeps retrying it on loopback can even connect to itself.
"""

import errno
import itertools
import random
import socket
from pathlib import Path

from chatterbus import processes
from chatterbus.errors import CommandError

LOWEST = 20_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_FALLBACK = 32_768
ATTEMPTS = 500


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. TIME_WAIT leftovers do not count. Other errors (no such host) raise."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(address)
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def choose_free(count: int, host: str = "127.0.0.1") -> tuple[int, ...]:
    """`count` different free ports outside the ephemeral range."""
    highest = _ephemeral_start() - 1
    if highest - LOWEST < 1_000:  # an unusual machine: take what there is
        highest = 65_000
    candidates = random.SystemRandom().sample(range(LOWEST, highest), ATTEMPTS)
    free = tuple(itertools.islice((port for port in candidates if is_free(host, port)), count))
    if len(free) < count:
        raise CommandError(f"No {count} free TCP ports on {host}.", "Stop other servers on this machine and try again.")
    return free


def require_free(host: str, ports: tuple[int, ...]) -> None:
    """Refuse with the holder's name when one of the public ports is taken, privileged, or the host is not here."""
    for port in ports:
        try:
            free = is_free(host, port)
        except PermissionError:
            raise CommandError(
                f"Port {port} needs more rights than you have.", "Choose one above 1023: --port 8080."
            ) from None
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror or error}.",
                "Use --host 127.0.0.1, or an address of this machine.",
            ) from None
        if not free:
            holder = processes.listener_on(port)
            raise CommandError(
                f"Port {port} on {host} is taken" + (f" by {holder}." if holder else "."),
                f"Stop it, or choose another: chatterbus up --port {port + 1000 if port < 64_000 else 8080}",
            )


def _ephemeral_start() -> int:
    try:
        return int(EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return EPHEMERAL_FALLBACK

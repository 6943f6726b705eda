"""Connection strings as the drivers want them.

Promises: every session that the persister opens notices a dead peer within seconds and names itself.
"""

from typing import Final

from psycopg.conninfo import make_conninfo

KEEPALIVE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def session_conninfo(dsn: str, application_name: str) -> str:
    """`dsn` with deadlines and a name; what the DSN itself says wins nowhere, since liveness must not be optional."""
    return make_conninfo(dsn, application_name=application_name, **KEEPALIVE)

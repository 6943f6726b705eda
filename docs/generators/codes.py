"""The tables of error codes and close codes."""

from typing import Final

from chatterbus_contracts.errors import CLOSES, ERRORS
from docs.generators import BANNER
from docs.generators.markdown import table

ERRORS_INTRO: Final = """
# Codes

## Error codes

An `error` frame and a REST problem carry the same code, and it means the same in both. What a program needs is beside
it:

- `fate: rejected`: nothing was stored, and nothing will be because of this request.
- `fate: unknown`: it may have been stored, or may be still. Ask again with the same `clientMessageId`: you get the
  answer of the first one if it was stored, and it is stored once if it was not.
- `retryable`: the same request, unchanged, may succeed later. If `retryAfterMs` is there, wait that long.

The text beside a code is for people and may change.

"""

CLOSES_INTRO: Final = """
## Close codes

4000-4499: reconnect (with backoff) and resume with `sinceRev`. 4500-4999 and the standard codes below: coming back
without changing anything ends the same way.

"""


def document() -> str:
    """docs/codes.md."""
    errors = [
        (f"`{code}`", str(row.status), "yes" if row.retryable else "no", row.fate, row.sender, row.when, row.client)
        for code, row in ERRORS.items()
    ]
    closes = [
        (str(int(code)), code.name.lower(), "yes" if row.reconnect else "no", row.when, row.client)
        for code, row in CLOSES.items()
    ]
    return (
        BANNER.format(source="chatterbus_contracts.errors")
        + ERRORS_INTRO
        + table(("code", "HTTP", "retryable", "fate", "sent by", "when", "what a client does"), errors)
        + CLOSES_INTRO
        + table(("code", "name", "reconnect", "when", "what a client does"), closes)
    )

"""Chatterbus persister: the ledger. The only process with the database's credentials."""

from typing import Final

__version__: Final = "0.1.0"

"""What an operator decides about the ledger's rules."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """`owners_may_edit`: a thread's owners may edit others' messages. `receipts_broadcast_max_members`: in larger
    threads receipts are stored and not told one by one."""

    owners_may_edit: bool = False
    receipts_broadcast_max_members: int = 100

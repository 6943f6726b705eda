"""What the persister counts. Names end in their unit."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

COMMANDS: Final = Counter("chatterbus_ledger_commands_total", "Commands applied, refused or set aside.")
BATCH_COMMANDS: Final = Histogram(
    "chatterbus_ledger_batch_commands", "Commands per transaction.", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
APPLY_SECONDS: Final = Histogram(
    "chatterbus_ledger_apply_seconds",
    "From taking a batch to its commit.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
DEAD_LETTERS: Final = Counter("chatterbus_ledger_dead_letters_total", "Commands that could not be applied.")
SESSIONS_LOST: Final = Counter("chatterbus_ledger_sessions_lost_total", "Sessions with PostgreSQL given up.")
PARTITIONS_HELD: Final = Gauge("chatterbus_ledger_partitions_held", "Partitions this instance owns.")
READERS_RESTARTED: Final = Counter("chatterbus_queue_readers_restarted_total", "Readers that lost their place.")
EPOCHS_BEGUN: Final = Counter("chatterbus_queue_epochs_begun_total", "Streams found lost or older than the offset.")
COMMANDS_LOST: Final = Counter("chatterbus_queue_commands_lost_total", "Commands gone before they were applied.")
BACKLOG_BYTES: Final = Gauge("chatterbus_queue_backlog_bytes", "Bytes read and not yet applied.")
ATTACHMENTS_COLLECTED: Final = Counter(
    "chatterbus_attachments_collected_total", "Files removed: of deleted messages, or never attached."
)
COLLECT_FAILURES: Final = Counter(
    "chatterbus_attachments_collect_failures_total", "Files, or whole turns, that are tried again at the next turn."
)
QUERIES: Final = Counter("chatterbus_store_queries_total", "Queries by name and outcome.", ["query", "outcome"])
QUERY_SECONDS: Final = Histogram(
    "chatterbus_store_query_seconds",
    "Time of a query, waiting included.",
    ["query"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
SEARCH_PENDING: Final = Gauge("chatterbus_search_pending_events", "Events that wait to be indexed.")
SEARCH_LAG_SECONDS: Final = Gauge(
    "chatterbus_search_lag_seconds", "Age of the oldest event of the last batch when its words could be found."
)
SEARCH_INDEXED: Final = Counter("chatterbus_search_indexed_messages_total", "Messages taken into the index, or again.")
SEARCH_FAILURES: Final = Counter("chatterbus_search_failures_total", "Sessions of the indexer given up.")
SEARCH_REBUILDS: Final = Counter("chatterbus_search_rebuilds_total", "Rebuilds of the index begun.")

"""The words of messages, and how far they were gathered."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE message_search (
        thread_id text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        rev bigint NOT NULL,
        created_at timestamptz NOT NULL,
        tsv tsvector NOT NULL,
        CONSTRAINT message_search_pkey PRIMARY KEY (thread_id, seq)
    )
    """,
    "COMMENT ON COLUMN message_search.rev IS 'rev of the message when its words were gathered'",
    # Without a pending list: a search would have to read through it.
    "CREATE INDEX message_search_words ON message_search USING gin (tsv) WITH (fastupdate = off)",
    "CREATE INDEX message_search_by_time ON message_search (thread_id, created_at, seq)",
    """
    CREATE TABLE search_index (
        "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
        language text NOT NULL DEFAULT 'simple',
        followed text,
        rebuild_thread text COLLATE "C",
        rebuild_seq bigint
    )
    """,
    "COMMENT ON COLUMN search_index.followed IS 'creation time of the consumer of EVENTS that feeds the index'",
    "COMMENT ON COLUMN search_index.rebuild_thread IS 'how far a rebuild has come; null: none is under way'",
    "INSERT INTO search_index DEFAULT VALUES",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)

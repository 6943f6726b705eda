"""Finding the messages that mention somebody without reading those between them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX messages_with_mentions ON messages (thread_id, seq) WHERE mentions IS NOT NULL")

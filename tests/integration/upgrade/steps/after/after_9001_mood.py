"""For the test of upgrades only: the step after that rollout. What the version before never wrote must be there now."""

from alembic import op

revision = "after_9001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE threads SET mood = 'calm' WHERE mood IS NULL")
    op.execute("ALTER TABLE threads ALTER COLUMN mood SET DEFAULT 'calm', ALTER COLUMN mood SET NOT NULL")
    op.execute("DROP TABLE moods")

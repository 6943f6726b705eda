"""For the test of upgrades only: a later version's step before its rollout. It adds a column that it also fills."""

from alembic import op

revision = "9001"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE threads ADD COLUMN mood text")
    op.execute("CREATE TABLE moods (mood text PRIMARY KEY)")
    op.execute("INSERT INTO moods VALUES ('calm')")

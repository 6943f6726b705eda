"""Steps that wait until the last process of the version before is gone: `after_NNNN_words.py`.

None of them depends on another by Alembic's `depends_on`: they run when all steps of `versions/` have. See
docs/upgrading.md for what may be done in which of the two folders.
"""

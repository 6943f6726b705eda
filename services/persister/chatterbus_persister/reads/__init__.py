"""What the `store` service answers: one file per subject of a question, plain SQL, pages by key, never by offset.

Promises: every answer is computed in one snapshot; what the asking user may not see is answered like what does not
exist. Nothing here writes.
"""

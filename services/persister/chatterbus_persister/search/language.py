"""Text search configurations: which words are the same word (stemming), and which are none (stop words)."""

from collections.abc import Sequence


class UnknownLanguageError(Exception):
    """PERSISTER_SEARCH_LANGUAGE names no text search configuration of this database."""

    def __init__(self, asked: str, known: Sequence[str]) -> None:
        super().__init__(
            f"PERSISTER_SEARCH_LANGUAGE is '{asked}', which this PostgreSQL does not know; it knows: {', '.join(known)}"
        )


class OtherLanguageError(Exception):
    """The index is kept in another language than this process was told: somebody was started later, with another."""


def require_language(asked: str, known: Sequence[str]) -> None:
    """Raise UnknownLanguageError unless `asked` is one of the known ones."""
    if asked not in known:
        raise UnknownLanguageError(asked, known)

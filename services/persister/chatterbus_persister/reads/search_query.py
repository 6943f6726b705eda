"""What a person typed, as a tsquery.

PostgreSQL's own parser for people (`websearch_to_tsquery`) knows words, "phrases", `or` and `-not`. Promises:
when the text ends within a word, that word also matches as a beginning. What was typed is only ever an argument of
PostgreSQL's parsers, the last word in quotes; what is put together are their normal forms, lexemes quoted.
"""

import re
import unicodedata
from typing import Final

import psycopg
from psycopg import AsyncConnection

from chatterbus_contracts.errors import ErrorCode, Refusal

# A word that may be going on: letters and digits, joined as in e-mail, example.org or a/b; no quotes, no backslashes.
_LAST_WORD: Final = re.compile(r"\w+(?:[-./@]\w+)*\Z")

# Compiling a plan costs more than any of them runs, so that is off for the rest of the transaction.
PARSE: Final = """
SELECT websearch_to_tsquery(i.language::regconfig, %(text)s)::text,
       to_tsquery(i.language::regconfig, %(word)s)::text,
       to_tsquery(i.language::regconfig, %(beginning)s)::text,
       i.language, set_config('jit', 'off', true)
FROM search_index i
"""


async def parse_query(connection: AsyncConnection, text: str) -> tuple[str, str]:
    """(the tsquery in its normal form, empty if there is no word to look for; the index's language).

    Raises Refusal BAD_REQUEST for what even that parser can not take: operators nested beyond its stack.
    """
    text = unicodedata.normalize("NFC", text)  # as the index has it
    found = _LAST_WORD.search(text)
    word = "" if found is None else f"'{found[0]}'"
    parameters = {"text": text, "word": word, "beginning": f"{word}:*" if word else ""}
    try:
        cursor = await connection.execute(PARSE, parameters)
    except (psycopg.errors.InternalError_, psycopg.errors.ProgramLimitExceeded):
        raise Refusal(ErrorCode.BAD_REQUEST, "the text to search for is too involved") from None
    row = await cursor.fetchone()
    if row is None:
        return "", "simple"
    query, exact, beginning, language, _ = row
    return with_beginning(query, exact, beginning), language


def with_beginning(query: str, exact: str, beginning: str) -> str:
    """`query` with its last word, which is `exact`, replaced by `beginning`; all are normal forms of tsquery.

    Left as it is when its last word is another one (a stop word came last), or is excluded: who does not want `-cat`
    may want `category`.
    """
    if not exact or not query.endswith(exact):
        return query
    head = query.removesuffix(exact)
    return query if head.endswith("!") else head + beginning

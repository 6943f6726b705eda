"""`python -m chatterbus_persister.reindex [--thread ID]`: gather the words of messages again.

For when rows of the index were lost or damaged: a lost stream of events and a changed language are noticed by the
persister itself. May run while persisters work; a rebuild of everything that is interrupted is finished by them.
"""

import argparse
import asyncio
import sys

import psycopg
import structlog

from chatterbus_contracts.ids import InvalidId, ThreadId, parse_thread_id
from chatterbus_persister.search.index import SearchIndex
from chatterbus_persister.search.language import OtherLanguageError, UnknownLanguageError
from chatterbus_persister.search.progress import Progress
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load

log = structlog.get_logger(__name__)

EX_DATA, EX_UNAVAILABLE, EX_CONFIG = 65, 69, 78
WAIT_FOR_OTHERS_S = 0.2


async def reindex(settings: PersisterSettings, thread_id: ThreadId | None) -> int:
    """How many messages were taken in by this process. Raises what SearchIndex raises."""
    index = await SearchIndex.open(settings.persister_dsn.get_secret_value(), settings.persister_search_language)
    try:
        progress = Progress("reindexing", "asked for")
        limit = settings.persister_search_batch_messages
        if thread_id is not None:
            progress.begun(0)
            async for count in index.rebuild_thread(thread_id, limit):
                progress.add(count)
        else:
            await index.begin_rebuild()
            progress.begun(await index.messages_about())
            while (done := await index.rebuild_step(limit)) is not None:
                progress.add(done)
                if not done:
                    await asyncio.sleep(WAIT_FOR_OTHERS_S)
            await index.analyze()
        progress.finished()
        return progress.count
    finally:
        await index.close()


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 when done, 65 for a bad id, 69 when PostgreSQL is away, 78 for an unknown language."""
    parser = argparse.ArgumentParser(prog="python -m chatterbus_persister.reindex", description="Rebuild the index.")
    parser.add_argument("--thread", metavar="ID", help="only this thread (default: all)")
    named: str | None = parser.parse_args(arguments).thread
    settings = load(PersisterSettings)
    configure_logging("reindex", settings.log_level, settings.log_format)
    try:
        asyncio.run(reindex(settings, None if named is None else parse_thread_id(named)))
    except InvalidId as error:
        return _failed(str(error), EX_DATA)
    except (UnknownLanguageError, OtherLanguageError) as error:
        return _failed(f"{error}\ncheck PERSISTER_SEARCH_LANGUAGE", EX_CONFIG)
    except psycopg.errors.UndefinedTable:
        return _failed("the schema is older than this program: run chatterbus migrate", EX_CONFIG)
    except (psycopg.OperationalError, TimeoutError) as error:
        first_line = (str(error).splitlines() or ["no answer in time"])[0]
        return _failed(f"PostgreSQL can not be reached: {first_line}\ncheck PERSISTER_DSN", EX_UNAVAILABLE)
    return 0


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

"""A ledger whose events are indexed as they come, without NATS, and what its users find."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from chatterbus_contracts.codec import decode, encode_json
from chatterbus_contracts.commands import Command
from chatterbus_contracts.envelopes import event_line
from chatterbus_contracts.queries import AskSearch, SearchPage
from chatterbus_persister.reads.search import search
from chatterbus_persister.search.index import SearchIndex
from chatterbus_persister.search.places import places_in
from tests.kit.ledger_worker import Ledger, Said

PAGES_MAX: Final = 1_000
ANSWER: Final = TypeAdapter(SearchPage)


class SearchStand:
    """A ledger on PostgreSQL, and its index."""

    def __init__(self, ledger: Ledger, index: SearchIndex) -> None:
        self.ledger = ledger
        self.index = index

    async def apply(self, *commands: Command) -> Said:
        """Apply, announce, index."""
        said = await self.ledger.apply(*commands)
        await self.index_events(said)
        return said

    async def index_events(self, said: Said) -> None:
        for event in said.events:
            await self.index.take(places_in(event_line(event)))

    async def page(self, user: str, text: str, **ask: Any) -> dict[str, Any]:
        """One answer, checked against its model."""
        page = await self.ledger.ask(search, AskSearch(user_id=user, text=text, **ask))
        decode(ANSWER, encode_json(page))
        return page

    async def items(self, user: str, text: str, **ask: Any) -> list[dict[str, Any]]:
        """Everything found, page by page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self.page(user, text, cursor=cursor, **ask)
            items += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return items
        raise AssertionError("the pages do not end")

    async def ids(self, user: str, text: str, **ask: Any) -> list[str]:
        """Ids of the messages found, in order."""
        return [item["message"]["id"] for item in await self.items(user, text, **ask)]

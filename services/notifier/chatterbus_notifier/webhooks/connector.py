"""Connections to a target: each goes to an address that was looked at, and to no other.

Promises: the name is resolved here, within the attempt's time; when one of its addresses may not be connected to, none
is (a name that mixes public and private addresses is an attack or a mistake); the connection goes to the very address
that was checked, so a name that resolves differently a moment later changes nothing. TLS still verifies the name.
At most one lookup runs at a time: attempts that need the answer at the same time share it. Nothing is cached.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from ipaddress import ip_address
from typing import Any, Final

import httpcore

from chatterbus_notifier.webhooks.target import Address, Target

ADDRESSES_TRIED: Final = 4  # of a name's; each gets its share of the time

Resolve = Callable[[str, int], Coroutine[Any, Any, list[Address]]]


class TargetRefused(Exception):
    """The name has an address that may not be connected to."""


class NameNotResolved(Exception):
    """The name has no address, or nobody says."""


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, in the order in which the system would try them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameNotResolved(host) from None
    return list(dict.fromkeys(ip_address(row[4][0]) for row in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """The network as httpcore sees it, for one target."""

    def __init__(self, target: Target, resolver: Resolve = resolve) -> None:
        self._target = target
        self._resolve = resolver
        self._network = httpcore.AnyIOBackend()
        self._lookup: asyncio.Task[list[Address]] | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As httpcore asks for it. Raises TargetRefused, NameNotResolved, TimeoutError and httpcore's errors."""
        async with asyncio.timeout(timeout):
            addresses = await self._addresses(host, port)
        if not all(self._target.is_allowed(address) for address in addresses):
            raise TargetRefused(host)
        tried = addresses[:ADDRESSES_TRIED]
        share_s = None if timeout is None else timeout / len(tried)
        for address in tried[:-1]:
            try:
                return await self._network.connect_tcp(str(address), port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # the next may do
        return await self._network.connect_tcp(str(tried[-1]), port, share_s, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks for it."""
        await self._network.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        if self._lookup is None:
            # Not cancelled with one attempt: a thread of the pool waits for the system's resolver, however long it
            # takes, and with a lookup per attempt a hanging resolver would fill the pool.
            self._lookup = asyncio.create_task(self._resolve(host, port))
            self._lookup.add_done_callback(self._looked_up)
        addresses = await asyncio.shield(self._lookup)
        if not addresses:
            raise NameNotResolved(host)
        return addresses

    def _looked_up(self, lookup: asyncio.Task[list[Address]]) -> None:
        self._lookup = None
        if not lookup.cancelled():
            lookup.exception()  # whoever waited has it; if nobody did, it is of no interest

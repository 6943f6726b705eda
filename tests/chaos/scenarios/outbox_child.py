"""A client with an outbox in a file, to be killed: posts messages and says so, one line each."""

import asyncio
import sys

from chatterbus_client import Client, FileOutbox


async def main(url: str, token: str, path: str, thread: str, first: str, count: str) -> None:
    async with Client(url, token=token, outbox=FileOutbox(path), auto_deliver=False) as client:
        await client.wait_online(30)
        for number in range(int(first), int(first) + int(count)):
            client.post(thread, f"m-{number}", client_message_id=f"m-{number}")
            print(f"posted {number}", flush=True)
            await asyncio.sleep(0.001)
        await client.drain(60)
        print("drained", flush=True)


asyncio.run(main(*sys.argv[1:]))

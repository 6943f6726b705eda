"""Two people talk. Start a server first (`chatterbus up`), then: python examples/hello.py [URL]"""

import asyncio
import sys

from chatterbus_client import Client, MessageCreated


async def main(url: str) -> None:
    async with Client(url, user_id="alice") as alice, Client(url, user_id="bob") as bob:
        await alice.thread("hello")
        thread = await bob.thread("hello")
        events = thread.events()

        sent = await alice.send("hello", "Hello Bob!")  # returns when it is stored
        print(f"alice's message is number {sent.seq}")

        async for event in events:
            if isinstance(event, MessageCreated) and event.data.sender_id == "alice":
                print(f"bob reads: {event.data.content}")
                await thread.mark_read(event.data.seq)
                break

        reply = await thread.send("Hello Alice!")
        print(f"bob's answer is number {reply.seq}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))

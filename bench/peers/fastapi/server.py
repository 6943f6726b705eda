"""A small chat server as people write it: FastAPI's WebSocket endpoint, asyncpg's pool, one INSERT per message.

A message is acked after its INSERT has committed.
"""

import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

INSERT = """
INSERT INTO messages (thread_id, sender_id, client_message_id, content) VALUES ($1, $2, $3, $4)
RETURNING id, created_at
"""
HISTORY = "SELECT * FROM messages WHERE thread_id = $1 AND id < $2 ORDER BY id DESC LIMIT 200"
LAST_ID = 2**63 - 1

threads: dict[str, set[WebSocket]] = defaultdict(set)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"])
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/threads/{thread_id}/messages")
async def history(thread_id: str, before: int = LAST_ID) -> list[dict[str, Any]]:
    return [dict(row) for row in await app.state.pool.fetch(HISTORY, thread_id, before)]


@app.websocket("/ws")
async def connection(socket: WebSocket) -> None:
    await socket.accept()
    user = thread = None
    try:
        while True:
            frame = await socket.receive_json()
            if frame["type"] == "auth":
                user, thread = frame["userId"], frame.get("threadId")
                await socket.send_json({"type": "auth_success", "userId": user})
                if thread:
                    threads[thread].add(socket)
                    await socket.send_json({"type": "subscribed", "threadId": thread})
            elif frame["type"] == "message" and user:
                await store(socket, user, frame)
    except WebSocketDisconnect:
        pass
    finally:
        if thread:
            threads[thread].discard(socket)


async def store(socket: WebSocket, user: str, frame: dict[str, Any]) -> None:
    thread, client_message_id, content = frame["threadId"], frame["clientMessageId"], frame["content"]
    row = await app.state.pool.fetchrow(INSERT, thread, user, client_message_id, content)
    facts = {"clientMessageId": client_message_id, "seq": row["id"], "createdAt": row["created_at"].isoformat()}
    data = {"id": row["id"], "threadId": thread, "senderId": user, "content": content, **facts}
    event = json.dumps({"type": "message", "data": data}, separators=(",", ":"))
    for follower in list(threads[thread]):
        with suppress(WebSocketDisconnect, RuntimeError):  # it closed meanwhile
            await follower.send_text(event)
    await socket.send_json({"type": "message_ack", "threadId": thread, **facts, "status": "sent"})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")

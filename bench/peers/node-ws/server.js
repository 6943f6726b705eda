// A small chat server as people write it: ws for the sockets, Express for the history, one INSERT per message through
// pg's pool, then a loop over the thread's clients. A message is acked after its INSERT has committed.

import express from "express";
import { createServer } from "node:http";
import pg from "pg";
import { WebSocket, WebSocketServer } from "ws";

const HISTORY_LIMIT = 200;
const INSERT =
  "INSERT INTO messages (thread_id, sender_id, client_message_id, content) VALUES ($1, $2, $3, $4) RETURNING id, created_at";
const HISTORY = "SELECT * FROM messages WHERE thread_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const app = express();
const server = createServer(app);
const sockets = new WebSocketServer({ server, path: "/ws" });
const threads = new Map(); // id of a thread: the sockets that follow it

app.get("/threads/:id/messages", async (request, response) => {
  const before = Number(request.query.before ?? Number.MAX_SAFE_INTEGER);
  const { rows } = await pool.query(HISTORY, [request.params.id, before, HISTORY_LIMIT]);
  response.json(rows);
});

sockets.on("connection", (socket) => {
  socket.on("message", (data) => {
    receive(socket, JSON.parse(data)).catch((error) => {
      socket.send(JSON.stringify({ type: "error", message: error.message }));
    });
  });
  socket.on("close", () => leave(socket));
});

async function receive(socket, frame) {
  if (frame.type === "auth") {
    socket.user = frame.userId;
    socket.send(JSON.stringify({ type: "auth_success", userId: socket.user }));
    if (frame.threadId) join(socket, frame.threadId);
  } else if (frame.type === "message" && socket.user) {
    await store(socket, frame);
  }
}

async function store(socket, { threadId, clientMessageId, content }) {
  const values = [threadId, socket.user, clientMessageId, content];
  const { rows } = await pool.query({ name: "insert-message", text: INSERT, values });
  const seq = Number(rows[0].id);
  const createdAt = rows[0].created_at;
  const event = JSON.stringify({
    type: "message",
    data: { id: seq, threadId, senderId: socket.user, clientMessageId, content, seq, createdAt },
  });
  for (const client of threads.get(threadId) ?? []) {
    if (client.readyState === WebSocket.OPEN) client.send(event);
  }
  socket.send(JSON.stringify({ type: "message_ack", clientMessageId, threadId, seq, createdAt, status: "sent" }));
}

function join(socket, threadId) {
  if (!threads.has(threadId)) threads.set(threadId, new Set());
  threads.get(threadId).add(socket);
  socket.thread = threadId;
  socket.send(JSON.stringify({ type: "subscribed", threadId }));
}

function leave(socket) {
  const followers = threads.get(socket.thread);
  followers?.delete(socket);
  if (followers?.size === 0) threads.delete(socket.thread);
}

server.listen(Number(process.env.PORT), "127.0.0.1");

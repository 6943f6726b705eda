// A small chat server as people write it with Socket.IO: rooms for threads, acknowledgements for acks, one INSERT per
// message through pg's pool. A message is acknowledged after its INSERT has committed.

import { createServer } from "node:http";
import pg from "pg";
import { Server } from "socket.io";

const INSERT =
  "INSERT INTO messages (thread_id, sender_id, client_message_id, content) VALUES ($1, $2, $3, $4) RETURNING id, created_at";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const server = createServer();
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("auth", async ({ userId, threadId }) => {
    socket.data.user = userId;
    socket.emit("auth_success", { userId });
    if (!threadId) return;
    await socket.join(threadId);
    socket.emit("subscribed", { threadId });
  });

  socket.on("message", async ({ threadId, clientMessageId, content }, acknowledge) => {
    try {
      const values = [threadId, socket.data.user, clientMessageId, content];
      const { rows } = await pool.query({ name: "insert-message", text: INSERT, values });
      const seq = Number(rows[0].id);
      const createdAt = rows[0].created_at;
      io.to(threadId).emit("message", {
        data: { id: seq, threadId, senderId: socket.data.user, clientMessageId, content, seq, createdAt },
      });
      acknowledge({ clientMessageId, threadId, seq, createdAt, status: "sent" });
    } catch (error) {
      socket.emit("error", { message: error.message });
    }
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");

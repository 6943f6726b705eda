// A server in the test's hand: its sockets, its REST, its threads. It answers like the real one until a test says otherwise.

import { ChatClient } from "../src/core/client.js";
import "../src/core/later.js"; // so that it is there at once
import { MemoryStore } from "../src/core/outbox-store.js";
import { FakeClock } from "./fake-clock.js";
import { AT, ThreadModel } from "./thread-model.js";

/** The client's end is a WebSocket; `says` and `ends` are the server's. */
class ScriptedSocket {
  readyState = 0;
  frames = [];
  following = new Set();
  closedWith = null;
  onopen = null;
  onmessage = null;
  onclose = null;

  constructor(server, url) {
    this.server = server;
    this.url = url;
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      if (server.isDown || server.refusesSockets) return this.ends(1006);
      if (server.isSilent) return;
      this.readyState = 1;
      this.onopen?.({});
    });
  }

  send(text) {
    if (this.readyState !== 1) throw new Error("not open");
    const frame = JSON.parse(text);
    this.frames.push(frame);
    if (!this.server.isSilent) queueMicrotask(() => this.server.answers[frame.type]?.(frame, this));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 3;
  }

  says(frame) {
    this.saysText(JSON.stringify(frame));
  }

  saysText(data) {
    if (this.readyState === 1) this.onmessage?.({ data });
  }

  ends(code = 1006) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }

  /** Frames of a type that the client sent here. */
  got(type) {
    return this.frames.filter((frame) => frame.type === type);
  }
}

const problem = (status, code, more = {}) => ({
  status,
  body: { code, detail: code, retryable: false, fate: "rejected", ...more },
});

export class ScriptedServer {
  userId = "alice";
  clock = new FakeClock();
  storeEpoch = "e-1";
  heartbeatIntervalMs = 25_000;
  /** Nothing can be reached. */ isDown = false;
  /** A proxy lets HTTP through and no socket. */ refusesSockets = false;
  /** Sockets open by TCP, and nothing else ever comes. */ isSilent = false;
  /** How many changes a subscribe or a page holds. */ pageLimit = 500;
  /** Whether a live event reaches a socket. */ carries = () => true;
  sockets = [];
  requests = [];
  threads = new Map();
  store = new MemoryStore();

  /** A test may replace any of these. */
  answers = {
    auth: (_, socket) => socket.says(this.welcome()),
    ping: ({ id }, socket) => socket.says({ type: "pong", id, serverTime: AT }),
    presence_set: ({ ref }, socket) => socket.says({ type: "ack", ref }),
    unsubscribe: ({ threadId }, socket) => void socket.following.delete(threadId),
    subscribe: ({ threadId, sinceRev, ref }, socket) => {
      const thread = this.threads.get(threadId);
      if (!thread) return socket.says(this.refusal("THREAD_NOT_FOUND", { ref, threadId }));
      socket.following.add(threadId);
      for (const frame of thread.sync(sinceRev, { ref, limit: this.pageLimit, reader: this.userId })) socket.says(frame);
    },
    message: (frame, socket) => {
      const stored = this.stores(frame);
      socket.says({ type: "message_ack", status: "sent", ...stored });
    },
    read_receipt: ({ threadId, seq }) => this.tell(threadId, (thread) => thread.read(this.userId, seq)),
    delivered_receipt: ({ threadId, seq }) => this.tell(threadId, (thread) => thread.deliver(this.userId, seq)),
  };

  /** By "METHOD route", the thread's id being *; gives {status, body}. */
  routes = {
    "GET /api/chat/threads/*/messages": ({ thread, query }) => {
      const { beforeSeq = Infinity, limit = 50 } = Object.fromEntries(query);
      return { body: thread.history({ beforeSeq: Number(beforeSeq), limit: Number(limit) }) };
    },
    "GET /api/chat/threads/*": ({ thread }) => ({ body: thread.detail(this.userId) }),
    "GET /api/chat/threads/*/changes": ({ thread, query }) => ({ body: thread.changes(Number(query.get("sinceRev")), this.pageLimit) }),
    "GET /api/chat/threads/*/receipts": ({ thread, query }) => ({ body: thread.receipts(query.get("cursor") ?? "") }),
    "POST /api/chat/messages": ({ body }) => {
      this.stores(body);
      return { status: 201, body: this.threads.get(body.threadId).sent(this.userId, body.clientMessageId) };
    },
    "POST /api/chat/threads/*/mark-unread": () => ({ body: {} }),
  };

  /** @param {...string} members of thread "t1", which everybody talks about */
  constructor(...members) {
    this.thread = this.adds("t1", ...(members.length ? members : ["alice", "bob"]));
    const server = this;
    this.WebSocket = class extends ScriptedSocket {
      constructor(url) {
        super(server, url);
        server.sockets.push(this);
      }
    };
  }

  /** The client of this server; the same store for all of them, as it is for the pages of a browser. */
  client(options = {}) {
    return new ChatClient({
      url: "https://chat.example",
      userId: this.userId,
      shareTabs: false,
      storage: this.store,
      clock: this.clock,
      random: () => 0.5,
      WebSocket: this.WebSocket,
      fetch: (url, init) => this.fetches(url, init),
      ...options,
    });
  }

  /** A client that is online, with a thread open. */
  async joined(options) {
    const client = this.client(options);
    const thread = client.thread("t1");
    thread.open();
    await client.connect();
    return { client, thread };
  }

  // --- what the server does ---

  adds(threadId, ...members) {
    const thread = new ThreadModel(threadId, members);
    this.threads.set(threadId, thread);
    return thread;
  }

  /** The last socket. */
  get socket() {
    return this.sockets.at(-1);
  }

  /** Frames of a type on all sockets. */
  got(type) {
    return this.sockets.flatMap((socket) => socket.got(type));
  }

  /** Requests of a route, e.g. "POST /api/chat/messages". */
  asked(route) {
    return this.requests.filter((request) => request.route === route);
  }

  welcome(more = {}) {
    const { userId, storeEpoch, heartbeatIntervalMs } = this;
    return {
      type: "auth_success", userId, userType: "user", connectionId: "c-1", protocolVersion: 1, storeEpoch, serverTime: AT,
      heartbeatIntervalMs, tokenExpiresAt: null, limits: { content: 16_000 }, ...more,
    };
  }

  refusal(code, more = {}) {
    return { type: "error", code, message: code, retryable: false, fate: "rejected", ...more };
  }

  /** Something happens in a thread, and its followers hear of it. */
  tell(threadId, happens) {
    for (const event of happens(this.threads.get(threadId))) {
      for (const socket of this.sockets) {
        if (socket.readyState === 1 && socket.following.has(threadId) && this.carries(event, socket)) socket.says(event);
      }
    }
  }

  /** Bob (or somebody else) writes. */
  hears(content, { threadId = "t1", from = "bob", ...fields } = {}) {
    this.tell(threadId, (thread) => thread.send(from, `${from}-${thread.lastSeq + 1}`, content, fields));
  }

  /** A message of the client: once, whatever comes how often. Gives the fields of its ack. */
  stores({ threadId, clientMessageId, content, replyToId }) {
    this.tell(threadId, (thread) => thread.send(this.userId, clientMessageId, content, { replyToId }));
    const { id, seq, rev, createdAt } = this.threads.get(threadId).sent(this.userId, clientMessageId);
    return { clientMessageId, threadId, serverMessageId: id, seq, rev, createdAt };
  }

  async fetches(url, { method = "GET", body, headers, signal } = {}) {
    const { pathname, searchParams: query } = new URL(url);
    const parsed = typeof body === "string" ? JSON.parse(body) : body;
    const [, id] = /^\/api\/chat\/threads\/([^/]+)/.exec(pathname) ?? [];
    const threadId = id && decodeURIComponent(id);
    const route = `${method} ${id ? pathname.replace(id, "*") : pathname}`;
    const request = { route, method, url, query, body: parsed, headers, signal, threadId, thread: this.threads.get(threadId) };
    this.requests.push(request);
    await this.delays?.(request);
    if (this.isDown) throw new TypeError("Failed to fetch");
    const { status = 200, body: answer } = await this.#answer(request);
    if (signal?.aborted) throw new DOMException("aborted", "AbortError");
    return new Response(answer === undefined ? null : typeof answer === "string" ? answer : JSON.stringify(answer), { status });
  }

  #answer(request) {
    if (request.threadId && !request.thread) return problem(404, "THREAD_NOT_FOUND");
    return this.routes[request.route]?.(request) ?? problem(404, "NOT_FOUND");
  }
}

export { problem };

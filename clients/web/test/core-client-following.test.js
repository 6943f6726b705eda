// Every open thread is true, or says that it is not: what was missed, what is missing, and what was taken away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settled } from "./fake-clock.js";
import { ScriptedServer, problem } from "./scripted-server.js";

const CHANGES = "GET /api/chat/threads/*/changes";
const HISTORY = "GET /api/chat/threads/*/messages";
const contents = (thread) => thread.messages.map(({ content }) => content);

/** A server whose thread has some messages. */
function server(messages = 3, ...members) {
  const made = new ScriptedServer(...members);
  for (let number = 1; number <= messages; number += 1) made.hears(`text ${number}`);
  return made;
}

test("an opened thread shows its newest messages, its members and its title", async () => {
  const chat = server(60);
  chat.thread.retitle("Order 4711", { orderId: 4711 });
  const { client, thread } = await chat.joined();
  assert.deepEqual([thread.messages.length, thread.hasOlder, thread.caughtUp], [50, true, true]);
  assert.deepEqual([thread.title, thread.metadata, thread.lastSeq, thread.rev], ["Order 4711", { orderId: 4711 }, 60, chat.thread.rev]);
  assert.deepEqual([...thread.members.keys()], ["alice", "bob"]);
  await thread.ready();
  client.close();
});

test("older messages come page by page, asked for once at a time", async () => {
  const chat = server(60);
  const { client, thread } = await chat.joined();
  const loading = thread.loadOlder(4);
  assert.equal(thread.loadingOlder, true);
  assert.equal(await thread.loadOlder(4), true);
  assert.equal(await loading, true);
  assert.deepEqual([thread.messages.length, contents(thread)[0]], [54, "text 7"]);
  assert.equal(await thread.loadOlder(), false);
  assert.deepEqual([contents(thread)[0], thread.hasOlder, thread.loadingOlder], ["text 1", false, false]);
  await thread.loadOlder();
  assert.equal(chat.asked(HISTORY).length, 3);
  client.close();
});

test("older messages that cannot be had can be asked for again", async () => {
  const chat = server(60);
  const { client, thread } = await chat.joined();
  const good = chat.routes[HISTORY];
  chat.routes[HISTORY] = () => problem(503, "STORE_UNAVAILABLE", { retryable: true });
  await assert.rejects(thread.loadOlder(), { code: "STORE_UNAVAILABLE" });
  chat.routes[HISTORY] = good;
  assert.deepEqual([await thread.loadOlder(), thread.messages.length], [false, 60]);
  client.close();
});

test("live events are told, each with what it changed", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const [messages, changes, threads] = [[], [], []];
  thread.addEventListener("message", ({ detail }) => messages.push(detail.message.content));
  client.addEventListener("message", ({ detail }) => messages.push(`${detail.threadId} ${detail.message.content}`));
  thread.addEventListener("change", ({ detail }) => changes.push(...detail.what));
  client.addEventListener("thread", ({ detail }) => threads.push(detail.threadId));
  await settled();
  changes.length = threads.length = 0;
  chat.hears("hello");
  chat.tell("t1", (t1) => t1.edit(4, "hello!"));
  await settled();
  assert.deepEqual([messages, threads], [["hello", "t1 hello"], ["t1"]]);
  assert.ok(changes.includes("messages"));
  assert.equal(contents(thread).at(-1), "hello!");
  client.close();
});

test("a message object is the same as long as nothing of it changes", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const before = thread.messages;
  chat.tell("t1", (t1) => t1.edit(2, "other"));
  assert.notEqual(thread.messages, before);
  assert.deepEqual(thread.messages.map((message, index) => message === before[index]), [true, false, true]);
  client.close();
});

test("a rev that jumps is a gap: it is filled from the changes since, and what comes meanwhile waits", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const { rev } = thread;
  let arrive;
  chat.delays = ({ route }) => route === CHANGES && new Promise((resolve) => (arrive = resolve));
  chat.carries = ({ data }) => data?.content !== "lost";
  chat.hears("lost");
  chat.hears("held");
  await settled();
  assert.deepEqual([contents(thread).length, thread.caughtUp, client.connectionState, client.stale], [3, false, "catching_up", true]);
  chat.hears("also held");
  await settled();
  arrive();
  await settled();
  assert.deepEqual(contents(thread).slice(3), ["lost", "held", "also held"]);
  assert.deepEqual(chat.asked(CHANGES).map(({ query }) => query.get("sinceRev")), [String(rev)]);
  assert.deepEqual([thread.caughtUp, client.connectionState], [true, "online"]);
  client.close();
});

test("changes that cannot be had now are asked for again, with longer and longer pauses", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const good = chat.routes[CHANGES];
  chat.routes[CHANGES] = () => problem(503, "STORE_UNAVAILABLE", { retryable: true });
  chat.carries = ({ data }) => data?.content !== "lost";
  chat.hears("lost");
  chat.hears("held");
  await chat.clock.pass(7_000);
  const asked = chat.asked(CHANGES).length;
  assert.ok(asked >= 3 && asked <= 5, `${asked}`);
  assert.equal(client.connectionState, "catching_up");
  chat.routes[CHANGES] = good;
  await chat.clock.pass(8_000);
  assert.deepEqual([contents(thread).at(-1), client.connectionState], ["held", "online"]);
  client.close();
});

test("changes from a store that is behind what was told are asked for again with pauses", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const behind = chat.thread.changes(0);
  const good = chat.routes[CHANGES];
  chat.routes[CHANGES] = () => ({ body: { ...behind, items: [] } });
  chat.carries = ({ data }) => data?.content !== "lost";
  chat.hears("lost");
  chat.hears("held");
  await chat.clock.pass(3_000);
  assert.ok(chat.asked(CHANGES).length <= 4, `${chat.asked(CHANGES).length}`);
  chat.routes[CHANGES] = good;
  await chat.clock.pass(4_000);
  assert.deepEqual([contents(thread).at(-1), client.connectionState], ["held", "online"]);
  client.close();
});

test("a connection that comes back resumes by rev: edits, receipts and messages, each once", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const { rev } = thread;
  const told = [];
  thread.addEventListener("message", ({ detail }) => told.push(detail.message.content));
  chat.socket.ends();
  chat.hears("missed");
  chat.thread.edit(1, "edited");
  chat.thread.read("bob", 4);
  await chat.clock.pass(1_000);
  assert.equal(chat.socket.got("subscribe")[0].sinceRev, rev);
  assert.deepEqual(contents(thread), ["edited", "text 2", "text 3", "missed"]);
  assert.deepEqual([told, thread.members.get("bob").readSeq, client.connectionState], [["missed"], 4, "online"]);
  client.close();
});

test("what one subscribe cannot hold is fetched page by page", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  chat.pageLimit = 5;
  chat.socket.ends();
  for (let number = 4; number <= 40; number += 1) chat.hears(`text ${number}`);
  await chat.clock.pass(2_000);
  assert.deepEqual([contents(thread).length, thread.rev, thread.caughtUp], [40, chat.thread.rev, true]);
  assert.ok(chat.asked(CHANGES).length >= 6);
  client.close();
});

test("a reset brings the newest history, and the view does not go blank meanwhile", async () => {
  const chat = server(5);
  const { client, thread } = await chat.joined();
  chat.socket.ends();
  const restored = chat.adds("t1", "alice", "bob");
  for (const content of ["text 1", "other"]) restored.send("bob", `b-${content}`, content);
  let arrive;
  chat.delays = ({ route }) => route === HISTORY && new Promise((resolve) => (arrive = resolve));
  await chat.clock.pass(1_000);
  assert.deepEqual([contents(thread), thread.caughtUp], [["text 1", "text 2"], false]);
  arrive();
  await settled();
  assert.deepEqual([contents(thread), thread.caughtUp, client.connectionState], [["text 1", "other"], true, "online"]);
  client.close();
});

test("another storeEpoch makes everything known void, revs and counts alike", async () => {
  const chat = server(5);
  const { client, thread } = await chat.joined();
  chat.socket.says({ type: "unread", threadId: "t9", lastSeq: 5, readSeq: 0, unread: 5, mentions: 0, muted: false, lastMessage: null, totalUnread: 5, version: 900 });
  chat.socket.ends();
  chat.storeEpoch = "e-2";
  const other = chat.adds("t1", "alice", "bob");
  for (let number = 1; number <= 9; number += 1) other.send("bob", `o${number}`, `other ${number}`);
  await chat.clock.pass(1_000);
  assert.deepEqual(contents(thread), [...other.messages.values()].map(({ content }) => content));
  assert.deepEqual([thread.rev, client.totalUnread, client.unread.size], [other.rev, 0, 0]);
  client.close();
});

test("an answer that was asked of the store before is not believed of the one after", async () => {
  const chat = server(5);
  const { client, thread } = await chat.joined();
  let arrive;
  chat.delays = ({ route }) => route === CHANGES && new Promise((resolve) => (arrive = resolve));
  chat.socket.says({ type: "resync", threadId: "t1", reason: "x" });
  await settled();
  const [first, old, good] = [chat.asked(CHANGES)[0], chat.thread.changes(0), chat.routes[CHANGES]];
  chat.routes[CHANGES] = (request) => (request === first ? { body: old } : good(request));
  chat.delays = undefined;
  chat.storeEpoch = "e-2";
  chat.adds("t1", "alice", "bob").send("bob", "o1", "other");
  chat.socket.ends();
  await chat.clock.pass(1_000);
  arrive();
  await chat.clock.pass(2_000);
  assert.deepEqual([contents(thread), thread.rev], [["other"], chat.threads.get("t1").rev]);
  client.close();
});

test("resync is believed: of one thread, or of all", async () => {
  const chat = server();
  chat.adds("t2", "alice", "bob");
  const { client, thread } = await chat.joined();
  const second = client.thread("t2");
  second.open();
  await settled();
  chat.carries = () => false;
  chat.hears("lost 1");
  chat.hears("lost 2", { threadId: "t2" });
  chat.socket.says({ type: "resync", threadId: "t1", reason: "x" });
  await settled();
  assert.deepEqual([contents(thread).at(-1), contents(second)], ["lost 1", []]);
  chat.socket.says({ type: "resync", reason: "x" });
  await settled();
  assert.deepEqual(contents(second), ["lost 2"]);
  client.close();
});

test("a first page that is lost with its connection is asked for on the next one", async () => {
  const chat = server();
  const client = chat.client();
  const thread = client.thread("t1");
  thread.open();
  chat.delays = () => { chat.isDown = true; };
  const connected = client.connect();
  await settled();
  chat.socket.ends();
  await chat.clock.pass(3_000);
  chat.delays = undefined;
  chat.isDown = false;
  await chat.clock.pass(30_000);
  assert.deepEqual([client.connectionState, contents(thread).length], ["online", 3]);
  await connected;
  client.close();
});

test("changes that were asked for on a connection that is gone are asked for on the next one", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  chat.pageLimit = 2;
  chat.carries = ({ data }) => data?.content !== "lost";
  let fail;
  chat.delays = ({ route }) => route === CHANGES && new Promise((_, reject) => (fail = reject));
  chat.hears("lost");
  chat.hears("held");
  await settled();
  chat.delays = undefined;
  chat.socket.ends();
  for (let number = 0; number < 5; number += 1) chat.hears(`missed ${number}`);
  await chat.clock.pass(1_000);
  fail(new TypeError("Failed to fetch"));
  await chat.clock.pass(20_000);
  assert.deepEqual([contents(thread).length, thread.caughtUp, client.connectionState], [10, true, "online"]);
  client.close();
});

test("a thread that does not exist is told as lost, holds nobody back, and is asked for again when it is opened anew", async () => {
  const chat = server();
  const client = chat.client();
  const lost = [];
  client.addEventListener("lost", ({ detail }) => lost.push(detail));
  client.thread("t1").open();
  const thread = client.thread("never");
  thread.open();
  await client.connect();
  await assert.rejects(thread.ready(), { code: "THREAD_NOT_FOUND" });
  assert.deepEqual([lost, client.connectionState], [[{ threadId: "never", code: "THREAD_NOT_FOUND" }], "online"]);
  chat.socket.ends();
  await chat.clock.pass(1_000);
  assert.deepEqual(chat.socket.got("subscribe").map(({ threadId }) => threadId), ["t1"]);
  thread.close();
  chat.adds("never", "alice");
  thread.open();
  await thread.ready();
  await settled();
  assert.equal(client.connectionState, "online");
  client.close();
});

test("a refusal that may pass is repeated on the same connection", async () => {
  const chat = server();
  const good = chat.answers.subscribe;
  chat.answers.subscribe = ({ ref }, socket) => {
    chat.answers.subscribe = good;
    socket.says(chat.refusal("STORE_UNAVAILABLE", { ref, retryable: true, retryAfterMs: 300 }));
  };
  const client = chat.client();
  client.thread("t1").open();
  const connected = client.connect();
  await chat.clock.pass(400);
  await connected;
  assert.deepEqual([client.connectionState, chat.sockets.length], ["online", 1]);
  client.close();
});

test("whoever is removed is told so, and hears no more", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const lost = [];
  client.addEventListener("lost", ({ detail }) => lost.push(detail.code));
  chat.tell("t1", (t1) => t1.remove("alice"));
  assert.deepEqual([lost, thread.refusal.code, client.connectionState], [["NOT_A_MEMBER"], "NOT_A_MEMBER", "online"]);
  chat.socket.ends();
  await chat.clock.pass(1_000);
  assert.deepEqual([client.connectionState, chat.socket.got("subscribe")], ["online", []]);
  client.close();
});

test("two threads do not mix, and a thread is the same object each time", async () => {
  const chat = server(0);
  chat.adds("t2", "alice", "bob");
  const { client, thread } = await chat.joined();
  const second = client.thread("t2");
  second.open();
  await settled();
  chat.hears("one");
  chat.hears("two", { threadId: "t2" });
  thread.send({ content: "mine" });
  await settled();
  assert.deepEqual([contents(thread), contents(second)], [["one", "mine"], ["two"]]);
  assert.equal(client.thread("t1"), thread);
  client.close();
});

test("a thread is left when the last who opened it closes it, and resumed when it is opened again", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  thread.open();
  thread.close();
  await settled();
  assert.equal(chat.got("unsubscribe").length, 0);
  thread.close();
  thread.close();
  await settled();
  assert.equal(chat.got("unsubscribe").length, 1);
  chat.hears("missed");
  const { rev } = thread;
  thread.open();
  await settled();
  assert.equal(chat.got("subscribe").at(-1).sinceRev, rev);
  assert.equal(contents(thread).at(-1), "missed");
  client.close();
});

test("what is asked over REST goes to its route, and its refusal is a ChatError", async () => {
  const chat = server();
  const { client, thread } = await chat.joined();
  const ok = () => ({ body: { items: [], nextCursor: null } });
  Object.assign(chat.routes, {
    "GET /api/chat/threads": ok, "POST /api/chat/threads": ok, "GET /api/chat/search": ok, "PATCH /api/chat/messages/t1~1": ok, "DELETE /api/chat/messages/t1~1": ok,
    "PUT /api/chat/messages/t1~1/reactions/%F0%9F%91%8D": ok, "DELETE /api/chat/messages/t1~1/reactions/%F0%9F%91%8D": ok,
  });
  chat.requests.length = 0;
  await client.listThreads({ archived: true });
  await client.createThread({ id: "t3", members: [] });
  await client.search("hello", { threadId: "t1" });
  await client.threadDetail("t1");
  await thread.edit("t1~1", "x");
  await thread.delete("t1~1");
  await thread.react("t1~1", "👍");
  await thread.react("t1~1", "👍", false);
  await thread.markUnread(2);
  assert.equal(chat.requests.length, 9);
  await assert.rejects(thread.edit("t1~9", "x"), { name: "ChatError", code: "NOT_FOUND", retryable: false, fate: "rejected" });
  client.close();
});

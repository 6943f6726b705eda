// Typing, receipts, unread counts and presence as the client keeps them, and frames that make no sense.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SEED, chance, settled } from "./fake-clock.js";
import { ScriptedServer } from "./scripted-server.js";

const receipts = (server) => [...server.got("read_receipt"), ...server.got("delivered_receipt")].map(({ type, seq }) => `${type.split("_")[0]} ${seq}`);
const typing = (userId, isTyping = true) => ({ type: "typing", threadId: "t1", userId, userType: "user", isTyping, expiresInMs: 3_000 });
const unread = (threadId, count, version) => ({ type: "unread", threadId, lastSeq: count, readSeq: 0, unread: count, mentions: 0, muted: false, lastMessage: null, totalUnread: count, version });
const presence = (userId, status, version, lastSeenAt = null) => ({ type: "presence", userId, status, lastSeenAt, version });

function told(client, type) {
  const details = [];
  client.addEventListener(type, ({ detail }) => details.push(detail));
  return details;
}

/** The page is hidden, until `shows`. */
function hiddenPage(t) {
  const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
  globalThis.document = document;
  t.after(() => delete globalThis.document);
  return (state) => {
    document.visibilityState = state;
    document.dispatchEvent(new Event("visibilitychange"));
  };
}

// --- typing ---

test("who writes is shown until 3 s after the last notice, the stop, or the message", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const changes = [];
  thread.addEventListener("change", ({ detail }) => detail.what.has("typing") && changes.push([...thread.typing]));
  server.socket.says(typing("bob"));
  await server.clock.pass(2_000);
  server.socket.says(typing("bob"));
  await server.clock.pass(2_900);
  assert.deepEqual(thread.typing, ["bob"]);
  await server.clock.pass(200);
  assert.deepEqual(thread.typing, []);
  server.socket.says(typing("bob"));
  server.socket.says(typing("bob", false));
  await settled();
  assert.deepEqual(thread.typing, []);
  server.socket.says(typing("bob"));
  await settled();
  server.hears("here it is");
  await settled();
  assert.deepEqual(changes, [["bob"], [], [], ["bob"], []]);
  client.close();
});

test("nobody writes on a connection that is gone", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.socket.says(typing("bob"));
  server.socket.ends();
  assert.deepEqual(thread.typing, []);
  client.close();
});

test("own writing is said every 2 s, its end once, and not after the message", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  for (let key = 0; key < 25; key += 1) {
    thread.setTyping(true);
    await server.clock.pass(100);
  }
  thread.setTyping(false);
  thread.setTyping(false);
  thread.setTyping(true);
  thread.send({ content: "done" });
  thread.setTyping(false);
  await settled();
  assert.deepEqual(server.got("typing").map(({ isTyping }) => isTyping), [true, true, false, true]);
  client.close();
});

// --- receipts ---

test("what is seen is read, and told once for many messages", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  for (const content of ["one", "two", "three"]) server.hears(content);
  await server.clock.pass(300);
  assert.deepEqual([receipts(server), thread.readSeq], [["read 3"], 3]);
  client.close();
});

test("on a hidden page messages are delivered and not read, until it is shown", async (t) => {
  const shows = hiddenPage(t);
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.hears("one");
  await server.clock.pass(300);
  assert.deepEqual([receipts(server), thread.readSeq], [["delivered 1"], 0]);
  shows("visible");
  await server.clock.pass(300);
  assert.deepEqual([receipts(server), thread.readSeq], [["read 1", "delivered 1"], 1]);
  client.close();
});

test("in a thread that the page does not show messages are delivered and not read", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  thread.shown = false;
  server.hears("one");
  await server.clock.pass(300);
  assert.deepEqual(receipts(server), ["delivered 1"]);
  thread.shown = true;
  await server.clock.pass(300);
  assert.deepEqual(receipts(server), ["read 1", "delivered 1"]);
  client.close();
});

test("without automatic receipts only what the page says is told", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined({ autoReceipts: false });
  for (const content of ["one", "two"]) server.hears(content);
  await server.clock.pass(300);
  assert.deepEqual(receipts(server), []);
  thread.markRead(1);
  await server.clock.pass(300);
  thread.markRead();
  await server.clock.pass(300);
  assert.deepEqual(receipts(server), ["read 1", "read 2"]);
  client.close();
});

test("a receipt that was lost with its connection is told on the next one, a confirmed one is not", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  const confirms = server.answers.read_receipt;
  server.answers.read_receipt = () => {};
  server.hears("one");
  await server.clock.pass(300);
  server.answers.read_receipt = confirms;
  server.socket.ends();
  await server.clock.pass(1_000);
  assert.deepEqual(server.socket.got("read_receipt").map(({ seq }) => seq), [1]);
  server.socket.ends();
  await server.clock.pass(1_000);
  assert.deepEqual(server.socket.got("read_receipt"), []);
  client.close();
});

test("what is read offline is told when the connection is back", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined({ autoReceipts: false });
  server.hears("one");
  server.socket.ends();
  thread.markRead();
  await server.clock.pass(1_000);
  assert.deepEqual(receipts(server), ["read 1"]);
  client.close();
});

test("marked as unread, an older read is not told after it", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined({ autoReceipts: false });
  server.hears("one");
  thread.markRead();
  await thread.markUnread(1);
  await server.clock.pass(1_000);
  assert.deepEqual([receipts(server), server.asked("POST /api/chat/threads/*/mark-unread")[0].body], [[], { seq: 1 }]);
  client.close();
});

// --- unread ---

test("unread counts follow the highest version, and a snapshot replaces what is older", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  const events = told(client, "unread");
  for (const [count, version] of [[3, 10], [2, 9], [3, 10], [0, 11]]) server.socket.says(unread("t2", count, version));
  assert.deepEqual(events.map(({ threadId, item, totalUnread }) => [threadId, item?.unread, totalUnread]), [["t2", 3, 3], ["t2", undefined, 0]]);
  server.socket.says({ type: "unread_snapshot", items: [unread("t3", 4, 0)], more: false, totalUnread: 4, version: 20 });
  assert.deepEqual([[...client.unread.keys()], client.totalUnread], [["t3"], 4]);
  client.close();
});

// --- presence ---

test("presence follows the highest version, and on a new connection whatever it says first", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  const events = told(client, "presence");
  server.socket.says(presence("bob", "online", 5));
  server.socket.says(presence("bob", "away", 4));
  server.socket.ends();
  await server.clock.pass(1_000);
  server.socket.says(presence("bob", "away", 2));
  assert.deepEqual(events.map(({ presence: { status } }) => status), ["online", "away"]);
  assert.deepEqual(client.presence("bob"), { status: "away", lastSeenAt: null });
  client.close();
});

test("presence that is told before the client's later part is loaded is not lost", async () => {
  const server = new ScriptedServer();
  server.answers.auth = (_, socket) => {
    socket.says(server.welcome());
    socket.says(presence("bob", "online", 5));
  };
  const client = server.client();
  client.watchPresence(["bob"]);
  await client.setPresence("away").catch(() => {});
  await client.connect();
  await settled();
  assert.equal(client.presence("bob").status, "online");
  assert.deepEqual(server.socket.got("presence_watch").map(({ userIds }) => userIds), [["bob"]]);
  assert.deepEqual(server.socket.got("presence_set").map(({ status }) => status), ["away"]);
  client.close();
});

test("after a goodbye, presence that is told again is believed", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  server.socket.says(presence("bob", "online", 100));
  server.socket.says(presence("bob", "offline", 101)); // no thread is shared any more
  server.socket.says(presence("bob", "online", 100)); // one is again
  assert.equal(client.presence("bob").status, "online");
  client.close();
});

test("whoever a connection tells nothing of within 10 s is not shown as present any more, and not sooner", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  server.socket.says(presence("bob", "online", 5));
  await server.clock.pass(8_000);
  server.socket.ends();
  await server.clock.pass(3_000);
  assert.equal(client.connectionState, "online");
  assert.equal(client.presence("bob").status, "online");
  await server.clock.pass(9_000);
  assert.equal(client.presence("bob"), undefined);
  client.close();
});

test("who is watched, and being away, is said again on every connection", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  client.watchPresence(["bob", "carol"]);
  client.watchPresence(["carol", "dan"], "inbox");
  await client.setPresence("away");
  server.socket.ends();
  await server.clock.pass(1_000);
  assert.deepEqual(server.socket.got("presence_watch").map(({ userIds }) => userIds), [["bob", "carol", "dan"]]);
  assert.deepEqual(server.socket.got("presence_set").map(({ status }) => status), ["away"]);
  client.watchPresence([], "inbox");
  assert.deepEqual(server.socket.got("presence_watch").at(-1).userIds, ["bob", "carol"]);
  await client.setPresence("online");
  server.socket.ends();
  await server.clock.pass(1_000);
  assert.deepEqual(server.socket.got("presence_set"), []);
  client.close();
});

test("a presence that is refused, lost or never answered rejects", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  server.answers.presence_set = ({ ref }, socket) => socket.says(server.refusal("PRESENCE_UNAVAILABLE", { ref, retryable: true }));
  await assert.rejects(client.setPresence("dnd"), { code: "PRESENCE_UNAVAILABLE", retryable: true });
  server.answers.presence_set = () => {};
  const unanswered = assert.rejects(client.setPresence("dnd"), { code: "TIMEOUT", fate: "unknown" });
  await server.clock.pass(15_000);
  await unanswered;
  const lost = assert.rejects(client.setPresence("dnd"), { code: "NETWORK", fate: "unknown" });
  server.socket.ends();
  await lost;
  await assert.rejects(client.setPresence("dnd"), { code: "NETWORK" });
  client.close();
});

// --- what makes no sense ---

test("an error that answers nothing of ours is told to the page", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  const errors = told(client, "error");
  server.socket.says(server.refusal("RATE_LIMITED", { retryable: true }));
  server.socket.says(server.refusal("BAD_FRAME", { ref: "not ours", clientMessageId: "nor this" }));
  assert.deepEqual(errors.map(({ code }) => code), ["RATE_LIMITED", "BAD_FRAME"]);
  client.close();
});

test("texts that are no frames, and types that are not known, are passed over", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  for (const text of ["", "{", "null", "7", '"x"', "[]", "{}", '{"type":7}', '{"type":"toString"}', '{"type":"__proto__"}', '{"type":"new_in_version_2","threadId":"t1","rev":4}']) {
    server.socket.saysText(text);
  }
  server.socket.saysText(new ArrayBuffer(3));
  server.hears("still here");
  await settled();
  assert.deepEqual(thread.messages.map(({ content }) => content), ["still here"]);
  client.close();
});

test("a frame that could not be understood is told, and what it should have said is fetched", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const errors = told(client, "error");
  const [event] = server.thread.send("bob", "b-1", "broken on its way");
  server.socket.says({ ...event, data: undefined });
  assert.deepEqual(errors.map(({ code }) => code), ["BAD_FRAME"]);
  server.hears("next");
  await settled();
  assert.deepEqual(thread.messages.map(({ content }) => content), ["broken on its way", "next"]);
  client.close();
});

/** The frame, with one thing in it missing or not what it should be. */
function broken(frame, random) {
  const copy = structuredClone(frame);
  const inner = copy.data && random() < 0.5 ? copy.data : copy;
  const names = Object.keys(inner).filter((name) => name !== "type");
  const name = names[Math.floor(random() * names.length)];
  const value = [undefined, null, 0, -1, 1e9, "x", [], {}, [null], true][Math.floor(random() * 10)];
  if (value === undefined) delete inner[name];
  else inner[name] = value;
  return copy;
}

test("frames that are broken in any way never throw, and the view is true after the next connection", async () => {
  const random = chance(SEED);
  for (let run = 0; run < 15; run += 1) {
    const server = new ScriptedServer("alice", "bob", "carol");
    server.hears("first");
    const { client, thread } = await server.joined();
    const good = [
      typing("bob"), presence("bob", "online", 1), unread("t2", 1, 1),
      { type: "unread_snapshot", items: [unread("t3", 4, 0)], more: false, totalUnread: 4, version: 2 },
      { type: "resync", threadId: "t1", reason: "x" }, server.refusal("FORBIDDEN", { ref: "r1" }), server.thread.sync(1)[0],
      { type: "message_ack", clientMessageId: "x", threadId: "t1", status: "sent", serverMessageId: "t1~1", seq: 1 },
      ...server.thread.send("bob", "b-2", "second", { replyToId: "t1~1" }), ...server.thread.read("carol", 2),
      ...server.thread.retitle("title"), ...server.thread.join("carol", "owner"), ...server.thread.edit(1, "edited"),
    ];
    for (const frame of good) {
      try {
        server.socket.says(broken(frame, random));
      } catch (error) {
        throw new Error(`CHATTERBUS_SEED=${SEED}: ${frame.type}: ${error.stack}`);
      }
    }
    await settled();
    server.storeEpoch = `e-${run + 2}`; // whatever was believed is void
    server.socket.ends();
    await server.clock.pass(2_000);
    assert.deepEqual(thread.messages.map(({ content }) => content), ["edited", "second"], `CHATTERBUS_SEED=${SEED}`);
    client.close();
  }
});

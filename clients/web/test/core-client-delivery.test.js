// What is sent is stored once and in order, and shows where it is, across losses, refusals and reloads.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settled } from "./fake-clock.js";
import { ScriptedServer, problem } from "./scripted-server.js";

const POST = "POST /api/chat/messages";
const shown = (thread) => thread.messages.map(({ content, status }) => `${content}: ${status}`);
const stored = (server, threadId = "t1") => [...server.threads.get(threadId).messages.values()].map(({ content }) => content);
const ids = (frames) => frames.map(({ clientMessageId }) => clientMessageId);
const inTurn = (...answers) => (frame, socket) => (answers.length > 1 ? answers.shift() : answers[0])(frame, socket);

test("a message shows at once and tells how far it is: sending, queued, sent, delivered, read", async () => {
  const server = new ScriptedServer("alice", "bob", "carol");
  const acks = [];
  server.answers.message = (frame, socket) => void acks.push({ frame, socket });
  const { client, thread } = await server.joined();
  const message = thread.send({ content: "hello" });
  assert.deepEqual([message.status, message.pending, message.id, message.senderId], ["sending", true, "", "alice"]);
  await settled();
  const [{ frame, socket }] = acks;
  socket.says({ type: "message_ack", status: "queued", clientMessageId: frame.clientMessageId, threadId: "t1" });
  assert.deepEqual(shown(thread), ["hello: queued"]);
  socket.says({ type: "message_ack", status: "sent", ...server.stores(frame) });
  assert.deepEqual(shown(thread), ["hello: sent"]);
  assert.deepEqual([thread.messages[0].pending, thread.messages[0].id], [false, "t1~1"]);
  for (const [user, move, status] of [["bob", "deliver", "sent"], ["carol", "deliver", "delivered"], ["bob", "read", "delivered"], ["carol", "read", "read"]]) {
    server.tell("t1", (t1) => t1[move](user, 1));
    assert.deepEqual(shown(thread), [`hello: ${status}`], `${user} ${move}`);
  }
  assert.equal(thread.messages[0].key, message.key);
  client.close();
});

test("the event before its ack, or the ack before its event, is one message with one key", async () => {
  for (const isAckFirst of [true, false]) {
    const server = new ScriptedServer();
    const { client, thread } = await server.joined();
    server.answers.message = (frame, socket) => {
      const event = server.thread.send("alice", frame.clientMessageId, frame.content)[0];
      const ack = { type: "message_ack", status: "sent", ...server.stores(frame) };
      for (const said of isAckFirst ? [ack, event] : [event, ack]) {
        socket.says(said);
        assert.deepEqual(shown(thread), ["hello: sent"]);
        assert.equal(thread.messages[0].key, frame.clientMessageId);
      }
    };
    thread.send({ content: "hello" });
    await settled();
    assert.deepEqual([thread.messages.length, client.waiting], [1, 0]);
    assert.deepEqual(await server.store.all(), []);
    client.close();
  }
});

test("all of a draft is in the frame, and what is not given is left out", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  thread.send({ content: "hi", replyToId: "t1~1", attachmentIds: ["t1~f01"], mentions: ["bob"], metadata: { a: 1 }, messageType: "file" });
  thread.send({ content: "bare" });
  assert.throws(() => thread.send({ content: "  " }), TypeError);
  await settled();
  const [full] = server.got("message");
  assert.deepEqual([full.replyToId, full.attachmentIds, full.mentions, full.metadata, full.messageType], ["t1~1", ["t1~f01"], ["bob"], { a: 1 }, "file"]);
  await settled();
  assert.deepEqual(Object.keys(server.got("message")[1]).toSorted(), ["clientMessageId", "content", "threadId", "type"]);
  client.close();
});

test("messages wait for the one before them, and threads not for each other", async () => {
  const server = new ScriptedServer();
  server.adds("t2", "alice");
  server.answers.message = () => {};
  const { client, thread } = await server.joined();
  for (const content of ["one", "two", "three"]) thread.send({ content });
  client.thread("t2").send({ content: "elsewhere" });
  await settled();
  assert.deepEqual(server.got("message").map(({ content }) => content), ["one", "elsewhere"]);
  client.close();
});

test("a refusal for good is shown with its reason, holds nobody back, and can be tried again with the same id", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const accepts = server.answers.message;
  server.answers.message = inTurn(({ clientMessageId }, socket) => socket.says(server.refusal("CONTENT_TOO_LONG", { clientMessageId })), accepts);
  const message = thread.send({ content: "too long" });
  thread.send({ content: "next" });
  await settled();
  assert.deepEqual(shown(thread), ["next: sent", "too long: failed"]);
  assert.deepEqual(thread.messages[1].error, { code: "CONTENT_TOO_LONG", message: "CONTENT_TOO_LONG", retryable: false });
  thread.retry(message.key);
  assert.deepEqual(shown(thread)[1], "too long: sending");
  await settled();
  assert.deepEqual(shown(thread), ["next: sent", "too long: sent"]);
  assert.equal(server.got("message").at(-1).clientMessageId, message.key);
  client.close();
});

test("a failed or waiting message can be taken back, a stored one can not", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const good = thread.send({ content: "good" });
  await settled();
  server.answers.message = () => {};
  const waiting = thread.send({ content: "waiting" });
  thread.send({ content: "next" });
  await settled();
  thread.discard(good.key);
  thread.discard(waiting.key);
  await settled();
  assert.deepEqual(shown(thread), ["good: sent", "next: sending"]);
  assert.equal(server.got("message").at(-1).content, "next");
  assert.deepEqual((await server.store.all()).map(({ frame }) => frame.content), ["next"]);
  client.close();
});

test("a refusal that may pass is repeated with the same id, after as long as the server says, in order", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const accepts = server.answers.message;
  server.answers.message = inTurn(({ clientMessageId }, socket) => socket.says(server.refusal("RATE_LIMITED", { clientMessageId, retryable: true, retryAfterMs: 2_000 })), accepts);
  thread.send({ content: "one" });
  thread.send({ content: "two" });
  await server.clock.pass(1_900);
  assert.deepEqual(shown(thread), ["one: sending", "two: sending"]);
  await server.clock.pass(200);
  assert.deepEqual(stored(server), ["one", "two"]);
  assert.equal(new Set(ids(server.got("message"))).size, 2);
  client.close();
});

test("an unknown fate is no refusal: the same id again, stored once", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const accepts = server.answers.message;
  server.answers.message = inTurn((frame, socket) => {
    server.carries = () => false;
    server.stores(frame); // it was stored, and neither the ack nor the event comes
    server.carries = () => true;
    socket.says(server.refusal("TIMEOUT", { clientMessageId: frame.clientMessageId, retryable: true, fate: "unknown" }));
  }, accepts);
  thread.send({ content: "once" });
  await server.clock.pass(1_000);
  assert.deepEqual([stored(server), shown(thread)], [["once"], ["once: sent"]]);
  client.close();
});

test("an ack that never comes is asked for again after 15 s, a queued one too, and a late one is as good", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const lost = [];
  server.answers.message = (frame) => void lost.push(frame);
  thread.send({ content: "one" });
  await server.clock.pass(14_000);
  assert.equal(lost.length, 1);
  await server.clock.pass(2_000);
  assert.equal(lost.length, 2);
  server.socket.says({ type: "message_ack", status: "queued", threadId: "t1", clientMessageId: lost[0].clientMessageId });
  await server.clock.pass(16_000);
  assert.equal(lost.length, 3);
  assert.equal(new Set(ids(lost)).size, 1);
  server.socket.says({ type: "message_ack", status: "sent", ...server.stores(lost[0]) });
  assert.deepEqual([shown(thread), client.waiting], [["one: sent"], 0]);
  client.close();
});

test("what is written offline goes out once and in order, with the ids it was written with", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined({ httpFallback: false });
  server.isDown = true;
  server.socket.ends();
  const written = ["one", "two", "three"].map((content) => thread.send({ content }));
  await server.clock.pass(60_000);
  assert.deepEqual([shown(thread), client.waiting], [["one: sending", "two: sending", "three: sending"], 3]);
  server.isDown = false;
  await server.clock.pass(40_000);
  assert.deepEqual(stored(server), ["one", "two", "three"]);
  assert.deepEqual(ids(server.got("message")), ids(written));
  assert.deepEqual(thread.messages.map(({ key }) => key), ids(written));
  client.close();
});

test("a connection that breaks between storing and acking makes no second message", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const accepts = server.answers.message;
  server.answers.message = inTurn((frame, socket) => { server.carries = () => false; server.stores(frame); socket.ends(); server.carries = () => true; }, accepts);
  thread.send({ content: "once" });
  thread.send({ content: "then" });
  await server.clock.pass(2_000);
  assert.deepEqual([stored(server), shown(thread)], [["once", "then"], ["once: sent", "then: sent"]]);
  client.close();
});

test("a reload brings back what was not sent, and it goes out in order with the same ids", async () => {
  const server = new ScriptedServer();
  const first = await server.joined();
  server.isDown = true;
  server.socket.ends();
  const written = ["one", "two", "three"].map((content) => first.thread.send({ content }));
  await settled();
  first.client.close();
  const client = server.client();
  const thread = client.thread("t1");
  thread.open();
  const connected = client.connect();
  await settled();
  assert.deepEqual(shown(thread), ["one: sending", "two: sending", "three: sending"]);
  server.isDown = false;
  await server.clock.pass(5_000);
  await connected;
  assert.deepEqual([stored(server), ids(server.got("message"))], [["one", "two", "three"], ids(written)]);
  assert.deepEqual(await server.store.all(), []);
  client.close();
});

test("what a new page writes at once does not overtake what an old page left", async () => {
  const server = new ScriptedServer();
  server.isDown = true;
  const first = server.client();
  void first.connect();
  first.thread("t1").send({ content: "old" });
  await settled();
  first.close();
  server.isDown = false;
  const client = server.client();
  client.thread("t1").send({ content: "new" });
  void client.connect();
  client.thread("t1").send({ content: "newer" });
  await server.clock.pass(1_000);
  assert.deepEqual(stored(server), ["old", "new", "newer"]);
  client.close();
});

test("messages of one millisecond keep their order across a reload", async () => {
  const server = new ScriptedServer();
  server.isDown = true;
  const first = server.client();
  void first.connect();
  for (let number = 0; number < 20; number += 1) first.thread("t1").send({ content: `${number}` });
  await settled();
  first.close();
  const ats = (await server.store.all()).map(({ at }) => at);
  assert.equal(new Set(ats).size, 20, "the store orders by the time of writing");
});

test("a failed message is still failed after a reload, and can be tried again", async () => {
  const server = new ScriptedServer();
  const first = await server.joined();
  const accepts = server.answers.message;
  server.answers.message = ({ clientMessageId }, socket) => socket.says(server.refusal("FORBIDDEN", { clientMessageId }));
  const { key } = first.thread.send({ content: "no" });
  await settled();
  first.client.close();
  server.answers.message = accepts;
  const { client, thread } = await server.joined();
  await settled();
  assert.deepEqual(shown(thread), ["no: failed"]);
  assert.equal(server.sockets.at(-1).got("message").length, 0);
  thread.retry(key);
  await settled();
  assert.deepEqual([shown(thread), await server.store.all()], [["no: sent"], []]);
  client.close();
});

test("a browser that takes its storage away loses no message of this page", async () => {
  const server = new ScriptedServer();
  const failing = async () => { throw new DOMException("x", "QuotaExceededError"); };
  const { client, thread } = await server.joined({ storage: { all: failing, put: failing, remove: failing, close() {} } });
  thread.send({ content: "one" });
  thread.send({ content: "two" });
  await settled();
  assert.deepEqual(shown(thread), ["one: sent", "two: sent"]);
  client.close();
});

// --- HTTP ---

test("without a socket for 10 s messages go by HTTP, in order, with the same ids", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.refusesSockets = true;
  server.socket.ends();
  const written = ["one", "two", "three"].map((content) => thread.send({ content }));
  await server.clock.pass(9_000);
  assert.equal(server.asked(POST).length, 0);
  await server.clock.pass(2_000);
  assert.deepEqual([stored(server), ids(server.asked(POST).map(({ body }) => body))], [["one", "two", "three"], ids(written)]);
  assert.deepEqual([shown(thread), client.waiting], [["one: sent", "two: sent", "three: sent"], 0]);
  assert.equal("type" in server.asked(POST)[0].body, false);
  server.refusesSockets = false;
  await server.clock.pass(30_000);
  assert.deepEqual([shown(thread), stored(server).length], [["one: sent", "two: sent", "three: sent"], 3]);
  client.close();
});

test("a page that never gets a socket sends by HTTP all the same", async () => {
  const server = new ScriptedServer();
  server.refusesSockets = true;
  const client = server.client();
  void client.connect();
  client.thread("t1").send({ content: "one" });
  await server.clock.pass(11_000);
  assert.deepEqual(stored(server), ["one"]);
  client.close();
});

test("without the fallback nothing goes by HTTP", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined({ httpFallback: false });
  server.refusesSockets = true;
  server.socket.ends();
  thread.send({ content: "one" });
  await server.clock.pass(60_000);
  assert.equal(server.asked(POST).length, 0);
  client.close();
});

test("a message that HTTP has queued is asked about until it is stored, and holds nobody back", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.refusesSockets = true;
  server.socket.ends();
  const stores = server.routes[POST];
  server.routes[POST] = (request) => {
    if (request.body.content !== "slow" || server.asked(POST).length > 3) return stores(request);
    return { status: 202, body: { clientMessageId: request.body.clientMessageId, threadId: "t1", status: "queued" } };
  };
  thread.send({ content: "slow" });
  thread.send({ content: "quick" });
  await server.clock.pass(11_000);
  assert.deepEqual(shown(thread), ["slow: queued", "quick: sent"]);
  await server.clock.pass(60_000);
  assert.deepEqual(shown(thread).toSorted(), ["quick: sent", "slow: sent"]);
  client.close();
});

test("a refusal for good over HTTP is shown, one that may pass is repeated, and neither takes two places", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.refusesSockets = true;
  server.socket.ends();
  const stores = server.routes[POST];
  const answers = [problem(503, "QUEUE_UNAVAILABLE", { retryable: true }), problem(403, "FORBIDDEN")];
  server.routes[POST] = (request) => answers.shift() ?? stores(request);
  thread.send({ content: "no" });
  thread.send({ content: "yes" });
  await server.clock.pass(20_000);
  assert.deepEqual(shown(thread), ["no: failed", "yes: sent"]);
  assert.deepEqual(stored(server), ["yes"]);
  client.close();
});

for (const code of ["TOKEN_EXPIRED", "AUTH_FAILED", "AUTH_REQUIRED"]) {
  test(`${code} over HTTP says something of the session and nothing of the message`, async () => {
    const server = new ScriptedServer();
    const { client, thread } = await server.joined({ token: "abc" });
    server.refusesSockets = true;
    server.socket.ends();
    server.routes[POST] = () => problem(401, code);
    thread.send({ content: "later" });
    await server.clock.pass(15_000);
    assert.deepEqual(shown(thread), ["later: sending"]);
    server.refusesSockets = false;
    await server.clock.pass(40_000);
    assert.deepEqual(stored(server), ["later"]);
    client.close();
  });
}

test("a socket that opens while HTTP is under way takes over, in order and without doubles", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.refusesSockets = true;
  server.socket.ends();
  for (const content of ["one", "two", "three"]) thread.send({ content });
  let arrive;
  server.delays = ({ route }) => route === POST && new Promise((resolve) => (arrive = resolve));
  await server.clock.pass(10_500);
  assert.equal(server.asked(POST).length, 1);
  server.refusesSockets = false;
  await server.clock.pass(60_000);
  arrive();
  await settled();
  assert.deepEqual([stored(server), shown(thread)], [["one", "two", "three"], ["one: sent", "two: sent", "three: sent"]]);
  assert.equal(client.waiting, 0);
  client.close();
});

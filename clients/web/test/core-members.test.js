// Of a large thread a frame names the first members, and the others are read page by page: whatever happens meanwhile, all
// are there in the end. CHATTERBUS_SEED repeats a run, CHATTERBUS_RUNS makes more of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SEED, chance, settled } from "./fake-clock.js";
import { ScriptedServer, problem } from "./scripted-server.js";
import { ThreadModel } from "./thread-model.js";
import { Timeline } from "../src/core/timeline.js";
import { acts, assertEqual, assertShows, catchUp } from "./timeline-checks.js";

const RUNS = Number(process.env.CHATTERBUS_RUNS) || 300;
const USERS = Array.from({ length: 9 }, (_, number) => `user-${number}`);
const RECEIPTS = "GET /api/chat/threads/*/receipts";

function newModel(membersLimit = 2) {
  const model = new ThreadModel("t1", USERS);
  model.membersLimit = membersLimit;
  model.send(USERS[0], "first", "hello");
  return model;
}

function subscribed(model, timeline = new Timeline()) {
  timeline.subscribed(model.sync(null, { reader: "user-7" })[0]);
  return timeline;
}

const ids = ({ members }) => [...members.keys()].sort();

test("the first members and the reader are named, the others are needed", () => {
  const timeline = subscribed(newModel());
  assert.deepEqual(ids(timeline), ["user-0", "user-1", "user-7"]);
  timeline.receiveHistory([]);
  assert.equal(timeline.needs, "members");
});

test("of a small thread nobody is needed, and one that has shrunk names all of them", () => {
  const model = newModel(USERS.length);
  const timeline = subscribed(model);
  assert.equal(timeline.needs, "nothing");
  model.membersLimit = 8;
  const large = subscribed(model);
  assert.equal(large.needs, "members");
  const removed = model.remove("user-8");
  large.disconnected();
  large.subscribed(model.sync(large.resumeRev)[0]);
  for (const event of removed) large.receive(event);
  assertEqual(large, model);
});

test("who is removed, or reads, while a page is under way is neither brought back nor moved back by it", () => {
  for (const happens of [
    (model) => model.remove("user-3"),
    (model) => model.read("user-3", 1),
    (model) => model.deliver("user-3", 1),
    (model) => model.send("user-3", "second", "more"),
    (model) => [...model.remove("user-3"), ...model.join("user-3"), ...model.read("user-3", 1)],
    (model) => [...model.read("user-3", 1), ...model.remove("user-3")],
    (model) => model.join("user-30"),
  ]) {
    const model = newModel();
    const timeline = subscribed(model);
    const page = model.receipts(timeline.members.cursor);
    for (const event of happens(model)) timeline.receive(event);
    timeline.members.receive(page);
    catchUp(timeline, model);
    assertShows(timeline, [...model.messages.values()].slice(timeline.oldestSeq - 1), model);
  }
});

test("with a new connection the members are read again, since of a large thread not each receipt is told", () => {
  const model = newModel();
  const timeline = subscribed(model);
  catchUp(timeline, model);
  timeline.disconnected();
  for (const happens of [() => model.remove("user-3"), () => model.read("user-5", 1), () => model.join("user-30")]) happens();
  const [frame, ...changes] = model.sync(timeline.resumeRev, { reader: "user-7" });
  timeline.subscribed(frame);
  for (const event of changes) timeline.receive(event);
  assert.equal(timeline.needs, "members");
  assert.ok(timeline.members.isComplete, "nobody is unknown meanwhile");
  const page = model.receipts(timeline.members.cursor);
  page.items[0] = { ...page.items[0], readSeq: 1, deliveredSeq: 1 }; // under the rev it had
  timeline.members.receive(page);
  assert.equal(timeline.members.get(page.items[0].userId).readSeq, 1);
  model.read(page.items[0].userId, 1);
  timeline.resync();
  catchUp(timeline, model);
  assertEqual(timeline, model);
});

test("after a reset all of them are read again, and a page that was asked for before it is not believed", () => {
  const model = newModel();
  const timeline = subscribed(model);
  const { members } = timeline;
  const page = model.receipts(members.cursor);
  model.remove("user-3");
  timeline.subscribed({ ...model.sync(99)[0], result: "reset" });
  members.receive(page);
  catchUp(timeline, model);
  assertEqual(timeline, model);
});

/** Members come and go, read and write, while pages are read; connections break. */
function lives(random) {
  const model = newModel(1 + Math.floor(random() * 4));
  const timeline = subscribed(model);
  timeline.receiveHistory(model.history().items);
  let further = null;
  for (let serial = 0; serial < 40; serial += 1) {
    if (!further && timeline.needs === "members" && random() < 0.5) {
      const { members } = timeline;
      const page = model.receipts(members.cursor);
      further = () => members.receive(page);
    }
    const events = acts(model, random, serial, USERS);
    if (random() < 0.9) for (const event of events) timeline.receive(event);
    if (further && random() < 0.3) {
      further();
      further = null;
    }
    if (random() < 0.1) {
      timeline.disconnected();
      further = null;
      const isReset = random() < 0.2;
      const [frame, ...changes] = model.sync(isReset ? model.rev + 1 : timeline.resumeRev, { limit: 5 });
      timeline.subscribed(frame);
      for (const event of changes) timeline.receive(event);
    }
  }
  further?.();
  timeline.resync();
  catchUp(timeline, model, 5);
  return { model, timeline };
}

test("pages and events in any order give all members, each as far as it is", () => {
  for (let run = 0; run < RUNS; run += 1) {
    const seed = SEED + run;
    try {
      const { model, timeline } = lives(chance(seed * 7_919));
      assertEqual(timeline, model);
    } catch (error) {
      throw new Error(`CHATTERBUS_SEED=${seed}: ${error.message}`, { cause: error });
    }
  }
});

// --- the client ---

/** A server whose thread is large, and what everybody but the reader has got and read. */
function largeServer({ read = 0 } = {}) {
  const server = new ScriptedServer("alice", ...USERS);
  server.thread.membersLimit = 2;
  server.hears("hello", { from: "alice" });
  for (const user of USERS) server.thread.read(user, read);
  return server;
}

test("the client reads the further pages itself, and is not caught up before all members are there", async () => {
  const server = largeServer();
  const seen = [];
  server.delays = async ({ route }) => {
    if (route === RECEIPTS) seen.push(client.connectionState);
  };
  const client = server.client();
  const thread = client.thread("t1");
  thread.open();
  await client.connect();
  assert.deepEqual([...thread.members.keys()].sort(), ["alice", ...USERS]);
  assert.deepEqual([thread.caughtUp, client.connectionState], [true, "online"]);
  assert.deepEqual([seen.length, new Set(seen)], [4, new Set(["catching_up"])]);
  server.socket.ends();
  await server.clock.pass(2_000);
  assert.equal(client.connectionState, "online");
  assert.equal(server.asked(RECEIPTS).length, 8, "on the next connection once more");
  client.close();
});

test("while the members are read again, what was read by all stays so", async () => {
  const server = largeServer({ read: 1 });
  const { client, thread } = await server.joined();
  assert.equal(thread.messages[0].status, "read");
  server.delays = ({ route }) => route === RECEIPTS && new Promise(() => {});
  server.socket.ends();
  await server.clock.pass(2_000);
  assert.deepEqual([client.connectionState, thread.caughtUp, thread.messages[0].status], ["catching_up", false, "read"]);
  client.close();
});

test("a page that cannot be had now is asked for again", async () => {
  const server = largeServer();
  const page = server.routes[RECEIPTS];
  server.routes[RECEIPTS] = () => problem(503, "STORE_UNAVAILABLE", { retryable: true });
  const client = server.client();
  const thread = client.thread("t1");
  thread.open();
  void client.connect();
  await server.clock.pass(3_000);
  assert.deepEqual([thread.isReady, thread.caughtUp], [true, false]);
  server.routes[RECEIPTS] = page;
  await server.clock.pass(5_000);
  assert.deepEqual([thread.members.size, thread.caughtUp], [10, true]);
  client.close();
});

test("ticks count every other member: what the named ones have read is not read by all before the others are known", async () => {
  const server = largeServer({ read: 1 });
  const last = server.thread.sync()[0];
  assert.ok(last.members.every(({ readSeq }) => readSeq === 1));
  let go = () => {};
  server.delays = ({ route }) => route === RECEIPTS && new Promise((resolve) => (go = resolve));
  const client = server.client();
  const thread = client.thread("t1");
  thread.open();
  void client.connect();
  const statuses = [];
  for (let page = 0; page < 4; page += 1) {
    await settled();
    statuses.push(thread.messages[0].status);
    go();
  }
  await settled();
  assert.deepEqual([statuses, thread.messages[0].status], [["sent", "sent", "sent", "sent"], "read"]);
  thread.send({ content: "and now?" });
  await server.clock.pass(100);
  for (const user of USERS.slice(0, -1)) server.tell("t1", (t1) => t1.read(user, 2));
  assert.equal(thread.messages[1].status, "sent", "one is missing, of the last page");
  server.tell("t1", (t1) => t1.deliver(USERS.at(-1), 2));
  assert.equal(thread.messages[1].status, "delivered");
  server.tell("t1", (t1) => t1.read(USERS.at(-1), 2));
  assert.equal(thread.messages[1].status, "read");
  client.close();
});

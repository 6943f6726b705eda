// Tabs of one browser: one socket, and none of them notices.

import assert from "node:assert/strict";
import { test } from "node:test";

import "../src/core/tab-link.js"; // so that it is there at once
import { settled } from "./fake-clock.js";
import { FakeBrowser } from "./fake-browser.js";
import { ScriptedServer } from "./scripted-server.js";

const contents = (thread) => thread.messages.map(({ content, status }) => `${content}: ${status}`);
const open = (server) => server.sockets.filter(({ readyState }) => readyState === 1);

/** Tabs of one browser, the first of which leads. */
async function tabs(server, count, options = {}) {
  const browser = new FakeBrowser();
  const opened = [];
  for (let number = 0; number < count; number += 1) opened.push(await another(server, browser, options));
  return opened;
}

async function another(server, browser, options = {}) {
  const tab = browser.tab();
  const made = [];
  class OfTab extends server.WebSocket {
    constructor(url) {
      super(url);
      made.push(this);
    }
  }
  const joining = server.joined({
    shareTabs: true, locks: tab.locks, BroadcastChannel: tab.BroadcastChannel, WebSocket: OfTab, ...options,
  });
  let isOnline = false;
  void joining.then(() => (isOnline = true));
  for (let tries = 0; !isOnline && tries < 100; tries += 1) await server.clock.pass(100);
  const { client, thread } = await joining;
  /** As a crash does: the server hears that the connection is gone, the others hear nothing. */
  const dies = () => {
    tab.dies();
    for (const socket of made) socket.readyState = 3;
  };
  return { browser, tab, client, thread, dies };
}

async function until(server, condition, what) {
  for (let tries = 0; tries < 200 && !condition(); tries += 1) await server.clock.pass(100);
  assert.ok(condition(), what);
}

const online = ({ client }) => client.connectionState === "online" && !client.stale;

test("the first tab has the socket, all of them speak and hear", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  assert.deepEqual([leader.client.leader, follower.client.leader], [true, false]);
  assert.equal(server.sockets.length, 1);
  follower.thread.send({ content: "from the follower" });
  await server.clock.pass(100);
  leader.thread.send({ content: "from the leader" });
  await server.clock.pass(100);
  server.hears("to both");
  await server.clock.pass(100);
  const expected = ["from the follower: read", "from the leader: read", "to both: sent"];
  assert.deepEqual(contents(leader.thread), expected);
  assert.deepEqual(contents(follower.thread), expected);
  assert.equal(server.got("message").length, 2);
  assert.equal(server.sockets.length, 1);
});

test("what a follower writes shows at once, in every tab once, with one key from the keystroke to the end", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  const accepts = server.answers.message;
  server.answers.message = () => {};
  const { key } = follower.thread.send({ content: "hello" });
  assert.deepEqual(contents(follower.thread), ["hello: sending"]);
  await server.clock.pass(100);
  assert.deepEqual(contents(leader.thread), ["hello: sending"]);
  accepts(server.got("message")[0], server.socket);
  await server.clock.pass(100);
  for (const { thread, client } of [leader, follower]) {
    assert.deepEqual(contents(thread), ["hello: sent"]);
    assert.equal(thread.messages[0].key, key);
    assert.equal(client.waiting, 0);
  }
  assert.deepEqual(await server.store.all(), []);
});

test("a message that is refused fails in every tab, can be tried again in one and taken back in another", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  const accepts = server.answers.message;
  server.answers.message = ({ clientMessageId }, socket) => socket.says(server.refusal("FORBIDDEN", { clientMessageId }));
  const first = follower.thread.send({ content: "one" });
  const second = follower.thread.send({ content: "two" });
  await server.clock.pass(200);
  for (const { thread } of [leader, follower]) assert.deepEqual(contents(thread), ["one: failed", "two: failed"]);
  server.answers.message = accepts;
  leader.thread.retry(first.key);
  leader.thread.discard(second.key);
  await server.clock.pass(200);
  for (const { thread } of [leader, follower]) assert.deepEqual(contents(thread), ["one: sent"]);
});

test("the leader dies: another tab takes over, resumes by rev, and sends what was unanswered once and in order", async () => {
  const server = new ScriptedServer();
  const [leader, second, third] = await tabs(server, 3);
  server.hears("before");
  await server.clock.pass(100);
  const accepts = server.answers.message;
  server.answers.message = () => {};
  third.thread.send({ content: "one" });
  leader.thread.send({ content: "two" });
  await server.clock.pass(100);
  third.thread.send({ content: "three" });
  await server.clock.pass(100);
  server.answers.message = accepts;
  leader.dies();
  server.hears("meanwhile");
  await until(server, () => second.client.leader && [second, third].every(online), "both are back");
  assert.equal(third.client.leader, false);
  assert.equal(open(server).length, 1);
  assert.ok(server.socket.got("subscribe").every(({ sinceRev }) => sinceRev > 0), "resumed by rev");
  await server.clock.pass(1_000);
  const expected = ["before: sent", "meanwhile: sent", "one: sent", "two: sent", "three: sent"];
  for (const { thread } of [second, third]) assert.deepEqual(contents(thread), expected);
  assert.deepEqual(server.socket.got("message").map(({ content }) => content), ["one", "two", "three"]);
});

test("a message of a follower that dies before it could say so is sent by the leader", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  follower.tab.BroadcastChannel.prototype.postMessage = () => {};
  follower.thread.send({ content: "last words" });
  await settled();
  assert.equal(server.got("message").length, 0);
  follower.dies();
  await server.clock.pass(100);
  assert.deepEqual(contents(leader.thread), ["last words: sent"]);
});

test("a leader that does not answer is deposed by a tab in front of a person; it hears so when it wakes", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  const [old] = server.sockets;
  leader.tab.freezes();
  follower.thread.send({ content: "anybody there?" });
  await server.clock.pass(5_000);
  await until(server, () => online(follower), "the follower took over");
  assert.equal(follower.client.leader, true);
  assert.deepEqual(contents(follower.thread), ["anybody there?: sent"]);
  leader.tab.thaws();
  await until(server, () => online(leader), "the old leader follows");
  assert.equal(leader.client.leader, false);
  assert.equal(old.readyState, 3);
  assert.equal(open(server).length, 1);
  leader.thread.send({ content: "back" });
  await server.clock.pass(500);
  for (const { thread } of [leader, follower]) assert.deepEqual(contents(thread), ["anybody there?: sent", "back: sent"]);
  assert.equal(server.thread.lastSeq, 2, "what it had not heard of yet is stored once");
});

test("a leader that answers is never deposed, however long nothing happens", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  await server.clock.pass(10 * 60_000);
  assert.deepEqual([leader.client.leader, follower.client.leader], [true, false]);
  assert.equal(server.sockets.length, 1);
});

test("tabs of two users do not mix, whatever user the page says its token is of", async () => {
  const jwt = (sub) => `h.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.s`;
  const server = new ScriptedServer();
  const browser = new FakeBrowser();
  const opened = [];
  for (const token of [jwt("alice"), jwt("bob"), jwt("alice")]) opened.push(await another(server, browser, { userId: "alice", token }));
  assert.deepEqual(opened.map(({ client }) => client.leader), [true, true, false]);
  assert.equal(server.sockets.length, 2);
});

test("no token is ever said on the channel", async () => {
  const server = new ScriptedServer();
  const browser = new FakeBrowser();
  const token = "very.secret.token";
  const overheard = [];
  const spy = new (browser.tab().BroadcastChannel)("chatterbus 1 https://chat.example alice ");
  spy.onmessage = ({ data }) => overheard.push(data);
  const first = await another(server, browser, { token: async () => token });
  await another(server, browser, { token: async () => token });
  server.socket.says({ type: "token_expiring", expiresAt: "2026-01-31T12:00:00.000Z" });
  first.thread.send({ content: "hi" });
  await server.clock.pass(10_000);
  assert.equal(server.socket.got("auth").length, 2, "it was renewed");
  assert.ok(overheard.length > 10);
  assert.ok(!overheard.some((said) => said.includes("secret")));
});

test("a leader whose token is refused for good signs out alone; the next tab tries its own", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  const signedOut = [];
  for (const { client } of [leader, follower]) client.addEventListener("signedout", ({ detail }) => signedOut.push([client, detail.code]));
  server.socket.ends(4502);
  await until(server, () => follower.client.leader && online(follower), "the follower leads");
  assert.deepEqual(signedOut, [[leader.client, 4502]]);
  assert.equal(leader.client.connectionState, "closed");
  server.answers.auth = (_, socket) => socket.ends(4501);
  server.socket.ends(4502);
  await until(server, () => follower.client.connectionState === "closed", "it is refused too");
  assert.deepEqual(signedOut.at(-1), [follower.client, 4502]);
});

test("state, attempt and latency are the leader's in every tab", async () => {
  const server = new ScriptedServer();
  const all = await tabs(server, 2);
  server.isDown = true;
  server.socket.ends();
  await server.clock.pass(10);
  for (const { client } of all) {
    assert.equal(client.connectionState, "offline");
    assert.ok(client.stale);
    assert.ok(client.retryAt > server.clock.now());
  }
  server.isDown = false;
  all[1].client.retryNow();
  await until(server, () => all.every(online), "back at once, at the follower's word");
  assert.deepEqual(all.map(({ client }) => client.latencyMs), [0, 0]);
});

test("presence, typing, unread counts and answers reach the tabs they are for, also those that come later", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  server.socket.says({ type: "presence", userId: "bob", status: "online", lastSeenAt: null, version: 5 });
  const item = { threadId: "t2", lastSeq: 3, readSeq: 0, unread: 3, mentions: 0, muted: false, lastMessage: null };
  server.socket.says({ type: "unread_snapshot", items: [item], more: false, totalUnread: 3, version: 1 });
  server.socket.says({ type: "typing", threadId: "t1", userId: "bob", userType: "user", isTyping: true, expiresInMs: 3_000 });
  await server.clock.pass(100);
  const third = await another(server, leader.browser);
  for (const { client } of [leader, follower, third]) {
    assert.equal(client.presence("bob").status, "online");
    assert.deepEqual([client.totalUnread, client.unread.get("t2")?.unread], [3, 3]);
  }
  for (const { thread } of [leader, follower]) assert.deepEqual(thread.typing, ["bob"]);
  await Promise.all([leader, follower].map(({ client }) => client.setPresence("dnd")));
  follower.thread.setTyping(true);
  await server.clock.pass(100);
  assert.equal(server.got("typing").length, 1);
  third.client.close();
  await server.clock.pass(100);
  assert.ok(online(leader) && online(follower));
});

test("one tab may leave a thread while another follows it", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  leader.thread.close();
  await server.clock.pass(100);
  server.hears("for the one who stayed");
  await server.clock.pass(100);
  assert.deepEqual(contents(follower.thread), ["for the one who stayed: sent"]);
  assert.deepEqual(contents(leader.thread), []);
  follower.thread.close();
  await server.clock.pass(100);
  assert.equal(server.socket.following.size, 0);
});

test("what the join of another tab swallowed is fetched by those who were there", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  server.carries = () => false;
  server.hears("swallowed");
  server.carries = () => true;
  assert.deepEqual(contents(leader.thread), []);
  await another(server, leader.browser);
  for (const { thread } of [leader, follower]) assert.deepEqual(contents(thread), ["swallowed: sent"]);
});

test("when the join of another tab was refused, those who were there ask again", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  const subscribes = server.answers.subscribe;
  let refusals = 3;
  server.answers.subscribe = (frame, socket) => {
    if (!(refusals > 0)) return subscribes(frame, socket);
    refusals -= 1;
    socket.following.delete("t1"); // as the gateway does
    socket.says(server.refusal("STORE_UNAVAILABLE", { ref: frame.ref, retryable: true }));
  };
  const third = await another(server, leader.browser);
  await server.clock.pass(5_000);
  server.hears("still here");
  await server.clock.pass(100);
  for (const { thread } of [leader, follower, third]) assert.deepEqual(contents(thread), ["still here: sent"]);
  assert.ok(server.got("subscribe").length < 10, "nobody asks in circles");
});

test("what was taken back in one tab is not sent for another that was in the browser's cache meanwhile", async (t) => {
  const window = new EventTarget();
  const restored = globalThis.addEventListener;
  t.after(() => (globalThis.addEventListener = restored));
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  globalThis.addEventListener = window.addEventListener.bind(window); // of the next tab alone
  const third = await another(server, leader.browser);
  globalThis.addEventListener = restored;
  const turns = async (type) => {
    window.dispatchEvent(Object.assign(new Event(type), { persisted: true }));
    await server.clock.pass(200);
  };
  server.answers.message = () => {};
  const { key } = follower.thread.send({ content: "rather not" });
  await server.clock.pass(100);
  assert.deepEqual(contents(third.thread), ["rather not: sending"]);
  await turns("pagehide");
  assert.equal(third.client.connectionState, "connecting");
  leader.thread.discard(key);
  await server.clock.pass(100);
  const sent = server.got("message").length;
  await turns("pageshow");
  await until(server, () => online(third), "the third is back");
  for (const { thread } of [leader, follower, third]) assert.deepEqual(contents(thread), []);
  assert.equal(server.got("message").length, sent);
  assert.equal(open(server).length, 1);
});

test("a leader in the browser's cache holds nothing, and comes back as a follower", async (t) => {
  const window = new EventTarget();
  const restored = globalThis.addEventListener;
  t.after(() => (globalThis.addEventListener = restored));
  globalThis.addEventListener = window.addEventListener.bind(window);
  const server = new ScriptedServer();
  const [leader] = await tabs(server, 1);
  globalThis.addEventListener = restored;
  const follower = await another(server, leader.browser);
  window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
  await until(server, () => follower.client.leader && online(follower), "the follower leads");
  assert.deepEqual([leader.client.leader, open(server).length], [false, 1]);
  assert.deepEqual([...leader.browser.channels].map(({ tab }) => tab), [follower.tab]);
  server.hears("meanwhile");
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await until(server, () => online(leader), "it is back");
  assert.deepEqual(contents(leader.thread), ["meanwhile: sent"]);
  assert.deepEqual([leader.client.leader, follower.client.leader, open(server).length], [false, true, 1]);
});

test("without a socket the leader alone posts, and every tab hears the answer", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  server.refusesSockets = true;
  server.isSilent = true;
  server.socket.ends();
  follower.thread.send({ content: "by post" });
  await server.clock.pass(12_000);
  assert.equal(server.asked("POST /api/chat/messages").length, 1);
  for (const { thread } of [leader, follower]) assert.deepEqual(contents(thread), ["by post: sent"]);
});

test("the leader closes its client: its page lives on, another leads", async () => {
  const server = new ScriptedServer();
  const [leader, follower] = await tabs(server, 2);
  leader.client.close();
  await until(server, () => follower.client.leader && online(follower), "the follower leads");
  assert.equal(leader.client.leader, false);
  assert.equal(open(server).length, 1);
  leader.client.retryNow();
  await server.clock.pass(10_000);
  assert.equal(leader.client.connectionState, "closed");
  assert.equal(open(server).length, 1);
});

test("without locks, without channels, or where they are forbidden, each tab has a socket of its own", async () => {
  const forbidden = { request: () => Promise.reject(new DOMException("an opaque origin", "SecurityError")) };
  for (const options of [{ locks: null }, { BroadcastChannel: null }, { locks: forbidden }, { shareTabs: false }]) {
    const server = new ScriptedServer();
    const all = await tabs(server, 2, options);
    assert.deepEqual(all.map(({ client }) => client.leader), [true, true]);
    assert.equal(open(server).length, 2);
    for (const { client } of all) client.close();
  }
});

// The client's connection: how it comes, how it is kept, and how it comes back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { settled } from "./fake-clock.js";
import { ScriptedServer } from "./scripted-server.js";

/** What a client tells under a name, from here on. */
function told(client, type) {
  const details = [];
  client.addEventListener(type, ({ detail }) => details.push(detail));
  return details;
}

/** A window for the length of a test, whose events the client hears. */
function page(t) {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const names = { document, addEventListener: window.addEventListener.bind(window), removeEventListener: window.removeEventListener.bind(window) };
  const before = Object.keys(names).map((name) => [name, globalThis[name]]);
  Object.assign(globalThis, names);
  t.after(() => before.forEach(([name, value]) => (globalThis[name] = value)));
  return {
    tells: (type, more) => window.dispatchEvent(Object.assign(new Event(type), more)),
    shows(state) {
      document.visibilityState = state;
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

/** Seconds from the loss of the first socket to each of the next attempts. */
async function attempts(server, forMs) {
  const start = server.clock.now();
  const seconds = [];
  for (let seen = server.sockets.length; server.clock.now() < start + forMs; ) {
    await server.clock.pass(500);
    for (; seen < server.sockets.length; seen += 1) seconds.push((server.clock.now() - start) / 1_000);
  }
  return seconds;
}

test("it says who it is first, shows how far it is, and is online when every open thread is true", async () => {
  const server = new ScriptedServer();
  const client = server.client();
  const [states, stale] = [told(client, "state"), told(client, "stale")];
  client.thread("t1").open();
  assert.deepEqual([client.connectionState, client.stale, client.me], ["idle", true, null]);
  await client.connect();
  assert.deepEqual(states.map(({ state }) => state), ["connecting", "authenticating", "catching_up", "online"]);
  assert.deepEqual([stale, client.stale], [[{ stale: false }], false]);
  assert.deepEqual(server.socket.frames.slice(0, 2).map(({ type }) => type), ["auth", "subscribe"]);
  assert.deepEqual(client.me, { userId: "alice", userType: "user", name: null });
  assert.equal(client.limits.content, 16_000);
  client.close();
});

test("the socket's address follows the page's, and nothing of anybody is in it", async () => {
  for (const [url, socket] of [["https://chat.example/some/page?x#y", "wss://chat.example/ws"], ["http://localhost:8080", "ws://localhost:8080/ws"]]) {
    const server = new ScriptedServer();
    const client = server.client({ url, token: "secret" });
    await client.connect();
    assert.equal(server.socket.url, socket);
    assert.equal(server.socket.got("auth")[0].token, "secret");
    client.close();
  }
});

test("connect waits through failed attempts, and is one connection however often it is called", async () => {
  const server = new ScriptedServer();
  server.isDown = true;
  const client = server.client();
  const connected = client.connect();
  void client.connect();
  await server.clock.pass(700);
  assert.equal(client.attempt, 2);
  server.isDown = false;
  await server.clock.pass(2_000);
  await connected;
  assert.deepEqual([client.connectionState, client.attempt, client.retryAt], ["online", 0, null]);
  client.close();
});

test("it comes back after at most 1, 2, 4, 8, 16, then 30 s, and says when", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined({ random: () => 0.999_999 });
  const states = told(client, "state");
  server.isDown = true;
  server.socket.ends(1006);
  const start = server.clock.now();
  assert.deepEqual([client.connectionState, client.stale, Math.round((client.retryAt - start) / 1_000)], ["offline", true, 1]);
  assert.deepEqual(await attempts(server, 100_000), [1, 3, 7, 15, 31, 61, 91]);
  const waits = states.filter(({ retryAt }) => retryAt).length;
  assert.equal(waits, 8);
  client.close();
});

test("a shaky connection does not start the delays anew, one that held does", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined({ random: () => 0.999_999 });
  const wait = () => Math.round((client.retryAt - server.clock.now()) / 1_000);
  server.socket.ends();
  assert.equal(wait(), 1);
  await server.clock.pass(1_500);
  server.socket.ends();
  assert.equal(wait(), 2);
  await server.clock.pass(2_500 + 10_000);
  server.socket.ends();
  assert.equal(wait(), 1);
  client.close();
});

for (const code of [4000, 4008, 4009, 4010, 4011, 4029, 1001, 1012]) {
  test(`closed with ${code}, it comes back`, async () => {
    const server = new ScriptedServer();
    const { client } = await server.joined();
    server.socket.ends(code);
    assert.equal(client.connectionState, "offline");
    await server.clock.pass(1_000);
    assert.equal(client.connectionState, "online");
    client.close();
  });
}

for (const code of [4501, 4502, 4503, 4504, 4505, 1002, 1003, 1009]) {
  test(`closed with ${code}, it stays away and says so`, async () => {
    const server = new ScriptedServer();
    const { client } = await server.joined();
    const signedOut = told(client, "signedout");
    server.socket.ends(code);
    assert.equal(client.connectionState, "closed");
    assert.deepEqual(signedOut, [{ code }]);
    await server.clock.pass(120_000);
    assert.equal(server.sockets.length, 1);
    assert.equal(server.clock.pending, 0);
  });
}

const tokens = () => {
  const given = [];
  return { given, token: async () => (given.push(`token ${given.length + 1}`), given.at(-1)) };
};

test("closed with 4502, it gets a new token and comes back at once", async () => {
  const server = new ScriptedServer();
  const { given, token } = tokens();
  const { client } = await server.joined({ token });
  server.socket.ends(4502);
  await server.clock.pass(1_000);
  assert.equal(client.connectionState, "online");
  assert.deepEqual(server.got("auth").map((frame) => frame.token), ["token 1", "token 2"]);
  assert.equal(given.length, 2);
  client.close();
});

test("a fresh token that is refused too is a sign-out", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined({ token: tokens().token });
  const signedOut = told(client, "signedout");
  server.answers.auth = (_, socket) => socket.ends(4502);
  server.socket.ends(4502);
  await server.clock.pass(5_000);
  assert.deepEqual([client.connectionState, signedOut], ["closed", [{ code: 4502 }]]);
});

test("an auth that is refused because the token expired is asked again with a fresh one", async () => {
  const server = new ScriptedServer();
  const welcome = server.answers.auth;
  server.answers.auth = (frame, socket) => {
    if (frame.token !== "token 1") return welcome(frame, socket);
    socket.says(server.refusal("TOKEN_EXPIRED"));
    socket.ends(4501);
  };
  const client = server.client({ token: tokens().token });
  const connected = client.connect();
  await server.clock.pass(1_000);
  await connected;
  assert.equal(client.connectionState, "online");
  client.close();
});

test("a token is renewed on the open socket before it expires", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined({ token: tokens().token });
  const states = told(client, "state");
  server.socket.says({ type: "token_expiring", expiresAt: "2026-01-31T12:00:00.000Z" });
  server.socket.says({ type: "token_expiring", expiresAt: "2026-01-31T12:00:00.000Z" });
  await settled();
  assert.deepEqual(server.socket.got("auth").map((frame) => frame.token), ["token 1", "token 2"]);
  server.socket.says({ type: "token_expiring", expiresAt: "2026-01-31T13:00:00.000Z" });
  await settled();
  assert.equal(server.socket.got("auth").at(-1).token, "token 3");
  assert.deepEqual([server.sockets.length, states], [1, []]);
  client.close();
});

test("a token that could not be had is asked for again until the server ends it", async () => {
  const server = new ScriptedServer();
  let fails = 0;
  const { client } = await server.joined({ token: async () => { if (fails-- > 0) throw new Error("away"); return "good"; } });
  fails = 2;
  server.socket.says({ type: "token_expiring", expiresAt: "2026-01-31T12:00:00.000Z" });
  await server.clock.pass(9_000);
  assert.equal(server.socket.got("auth").length, 1);
  await server.clock.pass(1_500);
  assert.equal(server.socket.got("auth").length, 2);
  client.close();
});

test("a token that cannot be had now is a connection that cannot be made now", async () => {
  const server = new ScriptedServer();
  let isAway = true;
  const client = server.client({ token: async () => { if (isAway) throw new Error("away"); return "good"; } });
  const connected = client.connect();
  await server.clock.pass(3_000);
  assert.deepEqual([client.connectionState, server.sockets.length], ["offline", 0]);
  isAway = false;
  await server.clock.pass(10_000);
  await connected;
  assert.equal(client.connectionState, "online");
  client.close();
});

test("a gateway that drains is left after the time it says, which is no failure", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  const states = told(client, "state");
  server.socket.says({ type: "reconnect", afterMs: 1_200, resume: true });
  await server.clock.pass(1_100);
  assert.deepEqual([states, server.sockets.length], [[], 1]);
  await server.clock.pass(200);
  assert.deepEqual([client.connectionState, server.sockets.length], ["online", 2]);
  assert.equal(server.socket.got("subscribe")[0].sinceRev, thread.rev);
  client.close();
});

test("a gateway that closes before that time is come back from when it said", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  server.socket.says({ type: "reconnect", afterMs: 5_000, resume: true });
  server.socket.ends(4000);
  assert.equal(client.retryAt, server.clock.now() + 5_000);
  client.close();
});

test("a socket on which nothing is heard for 1.5 heartbeats is let go, whatever TCP believes", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  const first = server.socket;
  await server.clock.pass(100_000);
  assert.equal(server.sockets.length, 1);
  server.isSilent = true;
  await server.clock.pass(37_499);
  assert.equal(client.connectionState, "online");
  server.isSilent = false;
  server.answers.ping = () => {};
  await server.clock.pass(25_000);
  assert.equal(first.closedWith, 1000);
  client.close();
});

test("a server that takes the socket and says nothing is given up after 15 s", async () => {
  const server = new ScriptedServer();
  server.isSilent = true;
  const client = server.client();
  const connected = client.connect();
  await server.clock.pass(14_999);
  assert.deepEqual([client.connectionState, server.sockets.length], ["connecting", 1]);
  server.isSilent = false;
  await server.clock.pass(2_000);
  await connected;
  assert.equal(server.sockets.length, 2);
  client.close();
});

test("latency is the way of the last ping", async () => {
  const server = new ScriptedServer();
  server.answers.ping = ({ id }, socket) => void server.clock.setTimeout(() => socket.says({ type: "pong", id, serverTime: "" }), 40);
  const { client } = await server.joined();
  assert.equal(client.latencyMs, null);
  await server.clock.pass(40);
  assert.equal(client.latencyMs, 40);
  client.close();
});

test("when the network or the page comes back it tries at once", async (t) => {
  const browser = page(t);
  const server = new ScriptedServer();
  const { client } = await server.joined({ random: () => 0.999_999 });
  for (const wakes of [() => browser.tells("online"), () => browser.shows("visible"), () => client.retryNow()]) {
    server.socket.ends();
    const before = server.sockets.length;
    browser.shows("hidden");
    await settled();
    assert.equal(server.sockets.length, before);
    wakes();
    await settled();
    assert.equal(client.connectionState, "online");
    browser.shows("visible");
  }
  client.close();
});

test("a page that comes back to life finds out within 4 s that its socket is dead", async (t) => {
  const browser = page(t);
  const server = new ScriptedServer();
  const { client } = await server.joined();
  await server.clock.pass(5_000);
  const pings = server.got("ping").length;
  browser.shows("visible");
  await settled();
  assert.equal(server.got("ping").length, pings + 1);
  server.isSilent = true;
  await server.clock.pass(1_000);
  browser.tells("online");
  await server.clock.pass(3_900);
  assert.equal(client.connectionState, "online");
  await server.clock.pass(200);
  assert.equal(client.connectionState, "offline");
  client.close();
});

test("a page that the browser puts aside lets its socket go, and takes a new one when it is back", async (t) => {
  const browser = page(t);
  const server = new ScriptedServer();
  const { client } = await server.joined();
  browser.tells("pagehide", { persisted: true });
  assert.deepEqual([server.socket.closedWith, client.connectionState], [1000, "offline"]);
  await server.clock.pass(60_000);
  assert.equal(server.sockets.length, 1);
  browser.tells("pageshow", { persisted: true });
  await settled();
  assert.deepEqual([server.sockets.length, client.connectionState], [2, "online"]);
  client.close();
});

test("a page's policy that forbids the socket is no exception", async () => {
  const server = new ScriptedServer();
  const client = server.client({ WebSocket: class { constructor() { throw new Error("Content-Security-Policy"); } } });
  const connected = client.connect();
  await server.clock.pass(3_000);
  assert.equal(client.connectionState, "offline");
  client.close();
  await connected;
});

test("close says goodbye, leaves no timer and no listener, and ends what waits", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  server.answers.presence_set = () => {};
  const presence = client.setPresence("dnd");
  thread.setTyping(true);
  thread.send({ content: "hello" });
  client.close();
  await assert.rejects(presence, { code: "NETWORK", fate: "unknown" });
  assert.equal(server.socket.closedWith, 1000);
  await settled();
  assert.equal(server.clock.pending, 0);
  client.close();
  assert.equal(client.connectionState, "closed");
});

test("a client that is closed while it connects stays closed", async () => {
  const server = new ScriptedServer();
  const client = server.client();
  const connected = client.connect();
  client.close();
  await connected;
  await server.clock.pass(60_000);
  assert.deepEqual([client.connectionState, server.clock.pending], ["closed", 0]);
  assert.ok(server.sockets.every(({ readyState }) => readyState === 3));
});

// The hooks under React's test renderer, over objects with the client's events and a scripted WebSocket.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createElement, StrictMode } from "react";
import TestRenderer, { act } from "react-test-renderer";

import { ChatThread, useChatClient, useConnection, usePresence, useThread, useUnread, useWebSocket } from "../src/react/index.js";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;

class FakeThread extends EventTarget {
  opened = 0;
  id = "t1";
  title = null;
  metadata = null;
  members = new Map();
  messages = [];
  typing = [];
  lastSeq = 0;
  readSeq = 0;
  hasOlder = false;
  loadingOlder = false;
  caughtUp = false;
  sent = [];
  open() { this.opened += 1; }
  close() { this.opened -= 1; }
  send(draft) { this.sent.push(draft); return draft; }
  change(fields) {
    Object.assign(this, fields);
    this.dispatchEvent(new CustomEvent("change", { detail: { what: new Set(["messages"]) } }));
  }
}

class FakeClient extends EventTarget {
  connectionState = "online";
  stale = false;
  retryAt = null;
  attempt = 0;
  unread = new Map();
  totalUnread = 0;
  threads = new Map();
  seen = new Map();
  watches = [];
  askers = new Set();
  thread(id) {
    if (!this.threads.has(id)) this.threads.set(id, Object.assign(new FakeThread(), { id }));
    return this.threads.get(id);
  }
  presence(userId) { return this.seen.get(userId); }
  watchPresence(ids, asker) {
    this.watches.push(ids);
    this.askers.add(asker);
  }
}

class ScriptedSocket {
  static all = [];
  sent = [];
  constructor(url) {
    this.url = url;
    ScriptedSocket.all.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close(code = 1005) { this.closedWith = code; }
  open() { this.onopen({}); }
  says(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
  welcome() { this.says({ type: "auth_success", userId: "alice", heartbeatIntervalMs: 25_000 }); }
  drop(code = 1006) { this.onclose({ code, reason: "" }); }
}

/** Renders a component that only uses a hook; `result.seen` are the values, one per rendering. */
function rendered(use, { strict = false } = {}) {
  const result = { seen: [], get last() { return result.seen.at(-1); } };
  const Component = ({ use }) => {
    result.seen.push(use());
    return null;
  };
  const tree = (use) => (strict ? createElement(StrictMode, null, createElement(Component, { use })) : createElement(Component, { use }));
  act(() => { result.renderer = TestRenderer.create(tree(use)); });
  result.again = (next = use) => act(() => result.renderer.update(tree(next)));
  result.unmount = () => act(() => result.renderer.unmount());
  return result;
}

const turn = () => act(async () => { await new Promise((done) => setTimeout(done, 0)); });

test("useThread follows while mounted, and under StrictMode leaves nothing open behind", () => {
  const client = new FakeClient();
  const hook = rendered(() => useThread(client, "t1"), { strict: true });
  assert.equal(client.thread("t1").opened, 1);
  hook.unmount();
  assert.equal(client.thread("t1").opened, 0);
});

test("useThread renders again when the thread changed, and keeps what stayed the same", () => {
  const client = new FakeClient();
  const hook = rendered(() => useThread(client, "t1"));
  const [before, times] = [hook.last, hook.seen.length];
  hook.again();
  assert.equal(hook.seen.length, times + 1);
  assert.equal(hook.last, before, "the parent's rendering changes nothing");
  const messages = [{ key: "a" }];
  act(() => client.thread("t1").change({ messages }));
  assert.equal(hook.last.messages, messages);
  assert.notEqual(hook.last, before);
  assert.equal(hook.last.send, before.send);
});

test("useThread sees a change that fell between rendering and subscribing", () => {
  const client = new FakeClient();
  const thread = client.thread("t1");
  thread.open = () => { thread.title = "Oak table"; };
  assert.equal(rendered(() => useThread(client, "t1")).last.title, "Oak table");
});

test("useThread goes over to another thread and lets go of the first", () => {
  const client = new FakeClient();
  const hook = rendered(() => useThread(client, "t1"));
  hook.again(() => useThread(client, "t2"));
  assert.equal(hook.last.id, "t2");
  assert.deepEqual([client.thread("t1").opened, client.thread("t2").opened], [0, 1]);
  hook.last.send({ content: "Hello" });
  assert.deepEqual(client.thread("t2").sent, [{ content: "Hello" }]);
});

test("without a client there is an empty thread, and an action says why it cannot be", () => {
  const hook = rendered(() => useThread(null, "t1"));
  assert.deepEqual(hook.last.messages, []);
  assert.throws(() => hook.last.send({ content: "Hello" }), /useChatClient returns null/);
});

test("useUnread gives the total and a new map after each change", () => {
  const client = new FakeClient();
  const hook = rendered(() => useUnread(client));
  assert.equal(hook.last.total, 0);
  act(() => {
    client.unread.set("t1", { threadId: "t1", unread: 2 });
    client.totalUnread = 2;
    client.dispatchEvent(new CustomEvent("unread"));
  });
  assert.equal(hook.last.total, 2);
  assert.equal(hook.last.threads.get("t1").unread, 2);
  assert.notEqual(hook.last.threads, client.unread, "the client's own map changes in place");
});

test("useConnection tells the state", () => {
  const client = new FakeClient();
  const hook = rendered(() => useConnection(client));
  act(() => {
    Object.assign(client, { connectionState: "offline", stale: true, retryAt: 5, attempt: 2 });
    client.dispatchEvent(new CustomEvent("state"));
  });
  assert.deepEqual(hook.last, { state: "offline", stale: true, retryAt: 5, attempt: 2 });
});

test("two components that use presence share one watch, which ends with the last of them", () => {
  const client = new FakeClient();
  const one = rendered(() => usePresence(client, ["bob", "carol"]));
  const two = rendered(() => usePresence(client, ["bob", "dave"]));
  assert.deepEqual(client.watches.at(-1), ["bob", "carol", "dave"]);
  act(() => {
    client.seen.set("bob", { status: "online", lastSeenAt: null });
    client.dispatchEvent(new CustomEvent("presence"));
  });
  assert.equal(one.last.bob.status, "online");
  assert.equal(two.last.bob.status, "online");
  const watches = client.watches.length;
  one.again(() => usePresence(client, ["carol", "bob"]));
  assert.equal(client.watches.length, watches, "the same users in another order are the same users");
  one.unmount();
  assert.deepEqual(client.watches.at(-1).sort(), ["bob", "dave"]);
  two.unmount();
  assert.deepEqual(client.watches.at(-1), []);
  assert.deepEqual([...client.askers], ["hooks"], "what elements and the page itself watch is theirs");
});

test("useChatClient connects one client, keeps it for equal options and closes it at the end", async () => {
  ScriptedSocket.all = [];
  const options = () => ({
    url: "http://chat.example", token: () => "jwt", shareTabs: false, storage: "memory", httpFallback: false,
    WebSocket: ScriptedSocket, fetch: async () => new Response("{}"),
  });
  const hook = rendered(() => useChatClient(options()));
  await turn();
  const client = hook.last;
  assert.ok(client, "a client once it is mounted");
  assert.equal(hook.seen[0], null);
  hook.again(() => useChatClient(options()));
  await turn();
  assert.equal(hook.last, client);
  assert.equal(ScriptedSocket.all.length, 1);
  hook.again(() => useChatClient({ ...options(), userId: "bob" }));
  await turn();
  assert.notEqual(hook.last, client);
  assert.equal(client.connectionState, "closed");
  const second = hook.last;
  hook.unmount();
  assert.equal(second.connectionState, "closed");
});

test("useWebSocket authenticates first, then tells frames and takes them", async () => {
  ScriptedSocket.all = [];
  const heard = [];
  const hook = rendered(() => useWebSocket({
    url: "https://chat.example", token: async () => "jwt", threadId: "t1", WebSocket: ScriptedSocket,
    onMessage: (frame) => heard.push(frame.type), onOpen: () => heard.push("open"),
  }));
  await turn();
  const [socket] = ScriptedSocket.all;
  assert.equal(socket.url, "wss://chat.example/ws");
  assert.equal(hook.last.sendMessage({ type: "typing" }), false, "nothing goes out before auth");
  act(() => socket.open());
  assert.deepEqual(socket.sent, [{ type: "auth", token: "jwt", threadId: "t1", protocolVersion: 1 }]);
  assert.equal(hook.last.isConnected, false);
  act(() => socket.welcome());
  assert.equal(hook.last.isConnected, true);
  act(() => socket.says({ type: "message", data: {} }));
  assert.deepEqual(heard, ["open", "auth_success", "message"]);
  assert.equal(hook.last.sendMessage({ type: "typing", threadId: "t1" }), true);
  assert.equal(socket.sent.at(-1).type, "typing");
  hook.unmount();
  assert.equal(socket.closedWith, 1000);
});

test("useWebSocket comes back after a loss, with a count of the attempts, and not where the server says no", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  ScriptedSocket.all = [];
  const closed = [];
  const hook = rendered(() => useWebSocket({
    url: "http://chat.example", userId: "alice", WebSocket: ScriptedSocket, onClose: (how) => closed.push(how),
  }));
  const settle = () => act(async () => { for (let turns = 0; turns < 5; turns += 1) await Promise.resolve(); });
  await settle();
  act(() => { ScriptedSocket.all[0].open(); ScriptedSocket.all[0].welcome(); });
  act(() => ScriptedSocket.all[0].drop());
  assert.deepEqual([hook.last.isConnected, hook.last.reconnectAttempt], [false, 1]);
  assert.equal(closed[0].willReconnect, true);
  act(() => context.mock.timers.tick(1_000));
  await settle();
  assert.equal(ScriptedSocket.all.length, 2);
  act(() => { ScriptedSocket.all[1].open(); ScriptedSocket.all[1].welcome(); });
  assert.deepEqual([hook.last.isConnected, hook.last.reconnectAttempt], [true, 0]);
  act(() => ScriptedSocket.all[1].drop(4501));
  assert.deepEqual(closed[1], { code: 4501, reason: "", willReconnect: false });
  act(() => context.mock.timers.tick(60_000));
  await settle();
  assert.equal(ScriptedSocket.all.length, 2);
  hook.unmount();
});

test("<ChatThread> is the element, with its other props, and renders without a browser", () => {
  let renderer;
  act(() => { renderer = TestRenderer.create(createElement(ChatThread, { client: null, threadId: "t1", className: "chat", id: "c" })); });
  const tree = renderer.toJSON();
  assert.equal(tree.type, "chatterbus-thread");
  assert.deepEqual([tree.props.class, tree.props.id], ["chat", "c"]);
  act(() => renderer.unmount());
});

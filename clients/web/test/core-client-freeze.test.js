// A gateway that freezes: TCP holds, and nothing comes any more.

import assert from "node:assert/strict";
import { test } from "node:test";

import "../src/core/tab-link.js"; // so that it is there at once
import { FakeBrowser } from "./fake-browser.js";
import { ScriptedServer } from "./scripted-server.js";

/** Until the first socket is let go, ms; Infinity: not within a minute. */
async function leftAfter({ clock, sockets: [socket] }) {
  for (let ms = 0; ms <= 60_000; ms += 100) {
    if (socket.readyState === 3) return ms;
    await clock.pass(100);
  }
  return Infinity;
}

test("a client with an unanswered message leaves a silent gateway within 8 s, and it is sent on the next socket", async () => {
  for (const quietFor of [0, 1_000, 10_000, 24_900]) {
    const server = new ScriptedServer();
    const { client, thread } = await server.joined();
    await server.clock.pass(quietFor);
    server.isSilent = true;
    thread.send({ content: "anybody there?" });
    const ms = await leftAfter(server);
    assert.ok(ms <= 8_100, `${ms} ms, when it was quiet for ${quietFor}`);
    server.isSilent = false;
    await server.clock.pass(20_000);
    assert.deepEqual(thread.messages.map(({ content, status }) => [content, status]), [["anybody there?", "sent"]]);
    client.close();
  }
});

test("however long answers were late before, once nothing comes at all it leaves within 8 s", async () => {
  for (let quietFor = 60_000; quietFor <= 65_000; quietFor += 500) {
    const server = new ScriptedServer();
    const { client, thread } = await server.joined();
    server.answers.message = () => {};
    thread.send({ content: "late" });
    await server.clock.pass(quietFor);
    assert.equal(server.sockets.length, 1);
    server.isSilent = true;
    const ms = await leftAfter(server);
    assert.ok(ms <= 8_100, `${ms} ms, frozen after ${quietFor}`);
    client.close();
  }
});

test("so does one that waits to join a thread, or for any other answer", async () => {
  for (const asks of [(client) => client.thread("t2").open(), (client) => void client.setPresence("dnd").catch(() => {})]) {
    const server = new ScriptedServer();
    server.adds("t2", "alice", "bob");
    const { client } = await server.joined();
    server.isSilent = true;
    asks(client);
    const ms = await leftAfter(server);
    assert.ok(ms <= 8_100, `${ms} ms`);
    client.close();
  }
});

test("an idle one does not: it waits 1.5 heartbeats", async () => {
  const server = new ScriptedServer();
  const { client } = await server.joined();
  server.isSilent = true;
  const ms = await leftAfter(server);
  assert.ok(ms >= 37_400 && ms <= 37_600, `${ms} ms`);
  client.close();
});

test("answers that are late behind a gateway that answers pings cost no socket", async () => {
  for (const answer of [() => {}, ({ clientMessageId, threadId }, socket) => socket.says({ type: "message_ack", status: "queued", clientMessageId, threadId })]) {
    const server = new ScriptedServer();
    const stores = server.answers.message;
    const { client, thread } = await server.joined();
    server.answers.message = answer;
    thread.send({ content: "late" });
    await server.clock.pass(10 * 60_000);
    assert.deepEqual([server.sockets.length, client.connectionState], [1, "online"]);
    server.answers.message = stores;
    await server.clock.pass(20_000);
    assert.equal(thread.messages[0].status, "sent");
    client.close();
  }
});

test("once all is answered, pings are as rare as before", async () => {
  const server = new ScriptedServer();
  const { client, thread } = await server.joined();
  thread.send({ content: "hi" });
  await server.clock.pass(100);
  const before = server.got("ping").length;
  await server.clock.pass(100_000);
  assert.equal(server.got("ping").length - before, 4);
  client.close();
});

test("a follower's question counts too, also when the leader's own timers sleep", async () => {
  const server = new ScriptedServer();
  const browser = new FakeBrowser();
  const tabs = [];
  /** A hidden tab's timers wake once a minute. */
  const asleep = Object.assign(Object.create(server.clock), {
    now: () => server.clock.now(),
    setTimeout: (run, ms) => server.clock.setTimeout(run, Math.max(ms, 60_000)),
    clearTimeout: (timer) => server.clock.clearTimeout(timer),
  });
  for (const clock of [asleep, server.clock]) {
    const tab = browser.tab();
    const joining = server.joined({ shareTabs: true, locks: tab.locks, BroadcastChannel: tab.BroadcastChannel, clock });
    for (let tries = 0; tries < 30; tries += 1) await server.clock.pass(100);
    tabs.push(await joining);
  }
  const [leader, follower] = tabs;
  assert.deepEqual([leader.client.leader, follower.client.leader], [true, false]);
  for (let settling = 0; settling < 5; settling += 1) await server.clock.pass(1_000);
  server.isSilent = true;
  follower.thread.send({ content: "anybody there?" });
  const ms = await leftAfter(server);
  assert.ok(ms <= 9_100, `${ms} ms`);
  for (const { client } of tabs) client.close();
});

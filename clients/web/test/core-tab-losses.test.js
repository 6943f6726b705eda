// Tabs that come, go, crash and freeze in any order, on a connection that breaks: nothing is lost, doubled or out of order.

import assert from "node:assert/strict";
import { test } from "node:test";

import "../src/core/tab-link.js"; // so that it is there at once
import { chance, SEED } from "./fake-clock.js";
import { FakeBrowser } from "./fake-browser.js";
import { ScriptedServer } from "./scripted-server.js";

const RUNS = Number(process.env.CHATTERBUS_RUNS) || 20;
const STEPS = 60;
const TABS_MAX = 4;

async function run(seed) {
  const random = chance(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const server = new ScriptedServer();
  const browser = new FakeBrowser();
  /** @type {Set<any>} */ const tabs = new Set();
  const written = [];
  let made = 0;

  const opens = async () => {
    const tab = browser.tab();
    const sockets = [];
    class OfTab extends server.WebSocket {
      constructor(url) {
        super(url);
        sockets.push(this);
      }
    }
    const client = server.client({
      shareTabs: true, locks: tab.locks, BroadcastChannel: tab.BroadcastChannel, WebSocket: OfTab, random,
    });
    const thread = client.thread("t1");
    thread.open();
    void client.connect();
    tabs.add({ name: `tab ${(made += 1)}`, tab, client, thread, sockets, said: 0 });
  };
  const writes = ({ name, thread }, number) => {
    const content = `${name} says ${number}`;
    written.push(content);
    thread.send({ content });
  };
  const dies = (one) => {
    one.tab.dies();
    for (const socket of one.sockets) socket.readyState = 3;
    tabs.delete(one);
    one.client.close();
  };
  const steps = [
    () => tabs.size < TABS_MAX && opens(),
    () => tabs.size > 1 && dies(pick([...tabs])),
    () => tabs.size > 1 && pick([...tabs]).tab.freezes(),
    () => pick([...tabs]).tab.thaws(),
    () => server.socket?.ends(),
    () => (server.isDown = random() < 0.3),
    () => server.hears(`bob ${random()}`),
    ...Array.from({ length: 6 }, () => () => {
      const one = pick([...tabs]);
      writes(one, (one.said += 1));
    }),
  ];

  await opens();
  for (let step = 0; step < STEPS; step += 1) {
    await pick(steps)();
    await server.clock.pass(random() * (random() < 0.2 ? 20_000 : 200));
  }
  server.isDown = false;
  for (const { tab } of tabs) tab.thaws();
  await server.clock.pass(1_000);
  const calm = () => [...tabs].every(({ client }) => client.connectionState === "online" && client.waiting === 0);
  for (let tries = 0; tries < 200 && !calm(); tries += 1) await server.clock.pass(1_000);

  const told = `CHATTERBUS_SEED=${seed}`;
  assert.ok(calm(), `${told}: all come to rest: ${[...tabs].map(({ client }) => `${client.connectionState} ${client.waiting}`)}`);
  assert.equal([...tabs].filter(({ client }) => client.leader).length, 1, `${told}: one leads`);
  assert.equal(server.sockets.filter(({ readyState }) => readyState === 1).length, 1, `${told}: one socket`);
  const stored = server.thread.history({ beforeSeq: Infinity, limit: 1_000 }).items.map(({ content }) => content);
  const own = stored.filter((content) => content.startsWith("tab"));
  assert.deepEqual([...own].sort(), [...written].sort(), `${told}: each is stored once`);
  for (let number = 1; number <= made; number += 1) {
    const numbers = own.filter((content) => content.startsWith(`tab ${number} `)).map((content) => Number(content.split(" ").at(-1)));
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), `${told}: in the order of writing`);
  }
  for (const { thread, name } of tabs) {
    const shown = thread.messages.map(({ content }) => content);
    assert.deepEqual(shown, stored.slice(-shown.length), `${told}: ${name} shows what there is`);
    assert.ok(shown.length >= Math.min(stored.length, 50), told);
  }
  for (const one of [...tabs]) dies(one);
}

test("whatever becomes of the tabs, each message is stored once, in the order of its tab, and shown in all of them", async () => {
  for (let number = 0; number < RUNS; number += 1) await run(SEED + number);
});

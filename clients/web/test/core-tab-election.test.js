// Who leads: one tab, and the next when it is gone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Election, hold } from "../src/core/tab-election.js";
import { settled } from "./fake-clock.js";
import { FakeBrowser } from "./fake-browser.js";

function candidates(count) {
  const browser = new FakeBrowser();
  const told = [];
  const all = Array.from({ length: count }, (_, number) => {
    const tab = browser.tab();
    const say = (what) => !tab.isDead && told.push(`${number} ${what}`);
    return { tab, election: new Election(tab.locks, "lock", { won: () => say("won"), lost: () => say("lost") }) };
  });
  return { told, all };
}

test("one leads, and when it dies the one who waited longest", async () => {
  const { told, all } = candidates(3);
  for (const { election } of all) void election.stand();
  await settled();
  assert.deepEqual(told, ["0 won"]);
  all[0].tab.dies();
  await settled();
  assert.deepEqual(told, ["0 won", "1 won"]);
  all[1].election.withdraw();
  await settled();
  assert.deepEqual(told, ["0 won", "1 won", "2 won"]);
});

test("who seizes leads at once, the one before is told, and its place in the queue is not taken twice", async () => {
  const { told, all } = candidates(3);
  for (const { election } of all) void election.stand();
  await settled();
  void all[2].election.stand(true);
  await settled();
  assert.deepEqual([...told].sort(), ["0 lost", "0 won", "2 won"]);
  void all[0].election.stand();
  all[2].tab.dies();
  await settled();
  assert.equal(told.at(-1), "1 won");
  all[1].tab.dies();
  await settled();
  assert.equal(told.at(-1), "0 won");
});

test("who withdraws is told nothing, and holds and waits for nothing", async () => {
  const { told, all } = candidates(2);
  for (const { election } of all) void election.stand();
  await settled();
  all[1].election.withdraw();
  all[0].election.withdraw();
  await settled();
  assert.deepEqual(told, ["0 won"]);
  void all[1].election.stand();
  await settled();
  assert.deepEqual(told, ["0 won", "1 won"]);
});

test("where there are no locks to be had, standing rejects", async () => {
  const locks = { request: () => Promise.reject(new DOMException("an opaque origin", "SecurityError")) };
  const election = new Election(locks, "lock", { won: assert.fail, lost: assert.fail });
  await assert.rejects(election.stand(), { name: "SecurityError" });
});

test("a sign of life is heard of when its tab is gone", async () => {
  const browser = new FakeBrowser();
  const [leader, follower] = [browser.tab(), browser.tab()];
  await hold(follower.locks, "sign", false).held;
  let isGone = false;
  void hold(leader.locks, "sign", false).held.then(() => (isGone = true));
  await settled();
  assert.equal(isGone, false);
  follower.dies();
  await settled();
  assert.equal(isGone, true);
});

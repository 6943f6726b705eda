// When to ask whether somebody is there, and when to give up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Heartbeat } from "../src/core/heartbeat.js";

const INTERVAL = 25_000;

test("the first ping is due at once, then one every interval", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  assert.equal(heartbeat.due(0), "ping");
  heartbeat.pinged(0);
  heartbeat.heard(40);
  assert.equal(heartbeat.due(INTERVAL - 1), null);
  assert.equal(heartbeat.nextAt, INTERVAL);
  assert.equal(heartbeat.due(INTERVAL), "ping");
});

test("the link is dead after 1.5 intervals without anything", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.pinged(0);
  heartbeat.heard(0);
  heartbeat.pinged(INTERVAL);
  assert.equal(heartbeat.due(1.5 * INTERVAL - 1), null);
  assert.equal(heartbeat.due(1.5 * INTERVAL), "dead");
});

test("anything that is heard is a sign of life, not pongs alone", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.pinged(INTERVAL);
  heartbeat.heard(INTERVAL + 12_000);
  assert.equal(heartbeat.due(1.5 * INTERVAL), null);
});

test("a page whose timers slept asks first and gives up later", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.pinged(0);
  heartbeat.heard(20);
  const woken = 3_600_000;
  assert.equal(heartbeat.due(woken), "ping");
  heartbeat.pinged(woken);
  assert.equal(heartbeat.due(woken + 1), null);
  assert.equal(heartbeat.due(woken + INTERVAL / 2), "dead");
});

test("a page that comes back to life asks at once and does not wait long", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.pinged(0);
  heartbeat.heard(20);
  heartbeat.probe(4_000, 5_000);
  assert.equal(heartbeat.due(5_000), "ping");
  heartbeat.pinged(5_000);
  assert.equal(heartbeat.due(8_999), null);
  assert.equal(heartbeat.due(9_000), "dead");
});

test("once it was answered, patience is what it was", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.probe(4_000, 0);
  heartbeat.pinged(0);
  heartbeat.heard(50);
  heartbeat.pinged(INTERVAL);
  assert.equal(heartbeat.due(INTERVAL + 4_000), null);
});

test("a silent gateway that owes an answer is asked soon and given up soon", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.pinged(0);
  heartbeat.heard(20);
  heartbeat.awaits(true, 10_000);
  assert.equal(heartbeat.due(12_999), null);
  assert.equal(heartbeat.due(13_000), "ping");
  heartbeat.pinged(13_000);
  assert.equal(heartbeat.nextAt, 18_000);
  assert.equal(heartbeat.due(17_999), null);
  assert.equal(heartbeat.due(18_000), "dead");
});

test("an answered ping is life, however late the awaited answer is", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.awaits(true, 0);
  heartbeat.pinged(0);
  for (let now = 20; now < 200_000; now += 3_000) {
    heartbeat.heard(now);
    assert.equal(heartbeat.due(now + 2_999), null);
    assert.equal(heartbeat.due(now + 3_000), "ping");
    heartbeat.pinged(now + 3_000);
  }
});

test("once nothing is awaited, the cheap heartbeat is enough", () => {
  const heartbeat = new Heartbeat(INTERVAL, 0);
  heartbeat.awaits(true, 0);
  heartbeat.pinged(0);
  heartbeat.heard(20);
  heartbeat.awaits(false, 1_000);
  assert.equal(heartbeat.nextAt, INTERVAL);
});

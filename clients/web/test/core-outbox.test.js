// What may go out now.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../src/core/outbox.js";
import { SEED, chance } from "./fake-clock.js";

const ANSWER_MS = 15_000;
const entry = (id, threadId = "t1") => ({ clientMessageId: id, threadId, at: 0, frame: { type: "message", threadId, content: id, clientMessageId: id }, attachments: [] });
const ids = (entries) => entries.map(({ clientMessageId }) => clientMessageId);

function holding(...names) {
  const outbox = new Outbox(() => 0.5);
  for (const name of names) outbox.add(typeof name === "string" ? entry(name) : name);
  return outbox;
}

test("of a thread one goes out at a time, in the order of writing", () => {
  const outbox = holding("a", "b", "c");
  assert.deepEqual(ids(outbox.due(0)), ["a"]);
  assert.deepEqual(ids(outbox.due(1)), []);
  outbox.remove("a");
  assert.deepEqual(ids(outbox.due(2)), ["b"]);
});

test("threads do not wait for each other", () => {
  const outbox = holding("a1", entry("b1", "t2"), "a2", entry("b2", "t2"));
  assert.deepEqual(ids(outbox.due(0)), ["a1", "b1"]);
});

test("the same id is held once", () => {
  const outbox = holding("a", "a");
  assert.equal(outbox.size, 1);
});

test("a new channel gets everything unanswered again, from the first", () => {
  const outbox = holding("a", "b");
  outbox.due(0);
  outbox.begin();
  assert.deepEqual(ids(outbox.due(1)), ["a"]);
});

test("one that is not answered goes out again on a socket that lives", () => {
  const outbox = holding("a");
  outbox.due(0);
  assert.equal(outbox.nextAt, ANSWER_MS);
  assert.deepEqual(ids(outbox.due(ANSWER_MS)), ["a"]);
});

test("one that is queued holds its own place and nobody else's", () => {
  const outbox = holding("a", "b");
  outbox.due(0);
  assert.equal(outbox.queued("a", 10_000), true);
  assert.deepEqual(ids(outbox.due(1)), ["b"]);
  outbox.remove("b");
  assert.equal(outbox.nextAt, 10_000);
  assert.deepEqual(ids(outbox.due(10_000)), ["a"]);
});

test("a refusal that may pass holds the later ones back until it is repeated", () => {
  const outbox = holding("a", "b");
  outbox.due(0);
  assert.equal(outbox.refused("a", true, undefined, 0), false);
  assert.deepEqual(ids(outbox.due(374)), []);
  assert.equal(outbox.nextAt, 375);
  assert.deepEqual(ids(outbox.due(375)), ["a"]);
});

test("refusals wait longer each time, half a minute at most, or as long as the server says", () => {
  const outbox = holding("a");
  const waits = [];
  for (let now = 0, round = 0; round < 12; round += 1) {
    outbox.due(now);
    outbox.refused("a", true, undefined, now);
    waits.push(outbox.nextAt - now);
    now = outbox.nextAt;
  }
  assert.deepEqual(waits.slice(0, 4), [375, 750, 1_500, 3_000]);
  assert.equal(waits.at(-1), 22_500);
  outbox.begin();
  outbox.refused("a", true, 60_000, 0);
  assert.equal(outbox.nextAt, 60_000);
});

test("a new channel does not shorten the time that a refused one has to wait", () => {
  const outbox = holding("a");
  outbox.due(0);
  outbox.refused("a", true, 60_000, 0);
  outbox.begin();
  assert.deepEqual(ids(outbox.due(59_999)), []);
});

test("a refusal for good lets the next one out", () => {
  const outbox = holding("a", "b");
  outbox.due(0);
  assert.equal(outbox.refused("a", false, undefined, 0), true);
  assert.deepEqual(ids(outbox.due(0)), ["b"]);
});

test("one that did not go out after all is due again", () => {
  const outbox = holding("a");
  outbox.due(0);
  outbox.putBack("a");
  assert.deepEqual(ids(outbox.due(0)), ["a"]);
});

test("answers to messages that are not here are no answers", () => {
  const outbox = holding();
  assert.deepEqual([outbox.queued("x", 0), outbox.refused("x", false, undefined, 0), outbox.remove("x")], [false, false, false]);
  outbox.putBack("x");
  assert.equal(outbox.nextAt, Infinity);
});

test("whatever is answered, lost or refused, a thread's messages are stored in order and each once", () => {
  for (let run = 0; run < 100; run += 1) {
    const random = chance((SEED + run) * 7_919);
    const outbox = new Outbox(random);
    const stored = new Map([["t1", []], ["t2", []]]);
    let [now, written] = [0, 0];
    for (let step = 0; step < 400 && (written < 20 || outbox.size); step += 1) {
      if (written < 20 && random() < 0.3) outbox.add(entry(`m${(written += 1)}`, random() < 0.5 ? "t1" : "t2"));
      if (random() < 0.1) outbox.begin();
      for (const { clientMessageId: id, threadId } of outbox.due(now)) {
        const fate = random();
        if (fate < 0.15) continue; // lost on its way
        if (fate < 0.3) outbox.refused(id, true, undefined, now);
        else if (fate < 0.4) outbox.putBack(id);
        else {
          const list = stored.get(threadId);
          if (!list.includes(id)) list.push(id);
          if (fate < 0.5) outbox.queued(id, now + 5_000);
          else if (fate < 0.9) outbox.remove(id); // the rest: its ack is lost
        }
      }
      now = Math.max(now + 100, Math.min(outbox.nextAt, now + 20_000));
    }
    assert.equal(outbox.size, 0, `CHATTERBUS_SEED=${SEED + run}`);
    for (const list of stored.values()) {
      const numbers = list.map((id) => Number(id.slice(1)));
      assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `CHATTERBUS_SEED=${SEED + run}`);
    }
    assert.equal([...stored.values()].flat().length, 20);
  }
});

// The demo page's pure parts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Meter } from "../demo/meter.js";
import { idOf, nameOf, threadIdOf } from "../demo/people.js";

const message = (clientMessageId) => ({ type: "message", clientMessageId });
const ack = (clientMessageId, status = "sent") => ({ type: "message_ack", clientMessageId, status });

test("a send is timed from its frame to `sent`, not to `queued`", () => {
  const meter = new Meter();
  meter.wrote(message("a"), 100);
  assert.equal(meter.heard(ack("a", "queued"), 350), false);
  assert.equal(meter.heard(ack("a"), 400), true);
  assert.equal(meter.last, 300);
  assert.equal(meter.heard(ack("a"), 500), false, "an ack that comes again is no new time");
});

test("a message sent again is timed from its last frame, and one whose connection is gone not at all", () => {
  const meter = new Meter();
  meter.wrote(message("a"), 0);
  meter.lost();
  assert.equal(meter.heard(ack("a"), 9_000), false);
  meter.wrote(message("b"), 0);
  meter.wrote(message("b"), 9_000);
  meter.heard(ack("b"), 9_005);
  assert.equal(meter.last, 5);
});

test("the median is of the last twenty", () => {
  const meter = new Meter();
  assert.equal(meter.median, null);
  for (let ms = 1; ms <= 40; ms += 1) {
    meter.wrote(message(String(ms)), 0);
    meter.heard(ack(String(ms)), ms);
  }
  assert.equal(meter.median, 31);
});

test("whatever a person types becomes an id that the server takes, or nothing", () => {
  const rule = /^[A-Za-z0-9_\-:@+=|]{1,128}$/;
  for (const text of ["Alice", "  José Ñ. ", "Oak table!", "a/b\\c", "x".repeat(500), "<img src=x>", "..", "", "日本", "#"]) {
    const id = idOf(text);
    assert.ok(id === "" || rule.test(id), `${text} became ${id}`);
  }
  assert.equal(idOf("José Ñ"), "jose-n");
  assert.equal(nameOf("jose-n"), "Jose N");
});

test("a thread's id stays as it is, other text becomes one", () => {
  assert.equal(threadIdOf("Order-4711"), "Order-4711");
  assert.equal(threadIdOf("Oak table"), "oak-table");
});

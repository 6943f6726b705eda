// Whether and when to come back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff, comesBack } from "../src/core/backoff.js";

const WORST = () => 0.999_999;
const backoff = ({ random = WORST, canRenew = false } = {}) => new Backoff(random, canRenew);
const delays = (policy, count) => Array.from({ length: count }, () => Math.round(policy.lost(null, 0).delayMs));

test("delays are at most 1, 2, 4, 8, 16, then 30 s for ever", () => {
  assert.deepEqual(delays(backoff(), 8), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("delays are drawn from zero on, so that thousands do not come back in step", () => {
  assert.deepEqual(delays(backoff({ random: () => 0 }), 3), [0, 0, 0]);
  assert.deepEqual(delays(backoff({ random: () => 0.5 }), 3), [500, 1_000, 2_000]);
});

test("a connection that lasted 10 s makes the delays begin anew, one that did not does not", () => {
  const policy = backoff();
  delays(policy, 4);
  policy.opened(100_000);
  assert.equal(Math.round(policy.lost(null, 109_999).delayMs), 16_000);
  policy.opened(200_000);
  assert.equal(Math.round(policy.lost(null, 210_000).delayMs), 1_000);
});

test("failures are counted until a connection is there", () => {
  const policy = backoff();
  delays(policy, 3);
  assert.equal(policy.failures, 3);
  policy.opened(0);
  assert.equal(policy.failures, 0);
});

for (const code of [4000, 4008, 4009, 4010, 4011, 4029, 4499, 1001, 1006, 1011, 1012, 1013, null]) {
  test(`after ${code} it comes back`, () => assert.equal(backoff().lost(code, 0).again, true));
}

for (const code of [4500, 4501, 4502, 4503, 4504, 4505, 4999, 1000, 1002, 1003, 1007, 1009]) {
  test(`after ${code} it does not come back`, () => {
    assert.equal(comesBack(code), false);
    assert.deepEqual(backoff().lost(code, 0), { again: false, code });
  });
}

test("a reconnect frame says when, whatever the code and however often it failed before", () => {
  const policy = backoff();
  delays(policy, 5);
  policy.opened(0);
  policy.toldToReturn(1_200, 1_000);
  assert.deepEqual(policy.lost(4000, 1_500), { again: true, delayMs: 700, freshToken: false });
});

test("a reconnect frame is good for one return, and its time may have passed", () => {
  const policy = backoff();
  policy.toldToReturn(100, 0);
  assert.equal(policy.lost(4000, 5_000).delayMs, 0);
  assert.equal(Math.round(policy.lost(4000, 5_000).delayMs), 1_000);
});

test("an expired token is renewed at once, where a new one can be had", () => {
  const policy = backoff({ canRenew: true });
  delays(policy, 5);
  const { again, freshToken, delayMs } = policy.lost(4502, 0);
  assert.deepEqual([again, freshToken], [true, true]);
  assert.ok(delayMs <= 1_000);
});

test("a fresh token that is refused too ends it; one that served a connection may be renewed again", () => {
  const policy = backoff({ canRenew: true });
  policy.lost(4502, 0);
  assert.equal(policy.lost(4502, 0).again, false);
  const other = backoff({ canRenew: true });
  other.lost(4502, 0);
  other.opened(0);
  assert.equal(other.lost(4502, 3_600_000).again, true);
});

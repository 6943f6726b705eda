// Who the client speaks for, and what a request can end with.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatError } from "../src/core/errors.js";
import { Identity } from "../src/core/identity.js";
import { FakeClock } from "./fake-clock.js";

test("without a token and without a user it says so at once", () => {
  assert.throws(() => new Identity({}), TypeError);
});

test("in development mode the user is in the frame and in the headers", async () => {
  const identity = new Identity({ userId: "alice", userType: "client", name: "Alice", deviceId: "phone-1" });
  assert.deepEqual(identity.auth(await identity.token()), {
    type: "auth", userId: "alice", userType: "client", name: "Alice", deviceId: "phone-1", protocolVersion: 1,
  });
  assert.deepEqual(await identity.headers(), { "X-User-Id": "alice", "X-User-Type": "client" });
  assert.equal(identity.canRenew, false);
});

test("a token speaks for itself, and is the same when a fresh one is wanted", async () => {
  const identity = new Identity({ token: "abc" });
  assert.deepEqual(await identity.headers(true), { Authorization: "Bearer abc" });
  assert.equal(identity.auth("abc").token, "abc");
  assert.equal("userId" in identity.auth("abc"), false);
});

test("the function is asked once for any number of askers, and again only when a fresh one is wanted", async () => {
  let asked = 0;
  const identity = new Identity({ token: async () => `token ${(asked += 1)}` });
  assert.deepEqual(await Promise.all([identity.token(), identity.token(true), identity.headers()].slice(0, 2)), ["token 1", "token 1"]);
  assert.equal(await identity.token(), "token 1");
  assert.equal(await identity.token(true), "token 2");
  assert.equal(identity.canRenew, true);
});

for (const [what, token] of Object.entries({
  rejects: () => Promise.reject(new Error("secret")),
  throws: () => { throw new Error("secret"); },
  "gives nothing": async () => undefined,
  "gives no text": async () => ({ token: "x" }),
})) {
  test(`a function that ${what} is no token for now, and its own error is not repeated`, async () => {
    await assert.rejects(new Identity({ token }).token(), (error) => {
      assert.ok(error instanceof ChatError);
      assert.equal(error.retryable, true);
      assert.doesNotMatch(`${error.message} ${error.stack}`, /secret/);
      return true;
    });
  });
}

test("a function that failed is asked again", async () => {
  let asked = 0;
  const identity = new Identity({ token: async () => { if ((asked += 1) === 1) throw new Error(); return "good"; } });
  await assert.rejects(identity.token());
  assert.equal(await identity.token(), "good");
});

test("a function that never answers is given up after 15 s, and asked again", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const identity = new Identity({ clock, token: () => ((asked += 1) === 1 ? new Promise(() => {}) : "good") });
  const first = assert.rejects(identity.token(), ChatError);
  await clock.pass(15_000);
  await first;
  assert.equal(await identity.token(), "good");
  assert.equal(clock.pending, 0);
});

test("an error frame and a REST problem are the same error", () => {
  const frame = { type: "error", code: "RATE_LIMITED", message: "slow down", retryable: true, fate: "rejected", retryAfterMs: 1_000 };
  const problem = { code: "RATE_LIMITED", detail: "slow down", retryable: true, fate: "rejected", retryAfterMs: 1_000 };
  for (const said of [frame, problem]) {
    const { code, message, retryable, fate, retryAfterMs } = ChatError.said(said);
    assert.deepEqual([code, message, retryable, fate, retryAfterMs], ["RATE_LIMITED", "slow down", true, "rejected", 1_000]);
  }
});

test("what may pass later: what the server says, an unknown fate, and whatever is only about the token", () => {
  const passes = (code, more) => new ChatError(code, "x", more).mayPass;
  assert.deepEqual([passes("RATE_LIMITED", { retryable: true }), passes("INTERNAL", { fate: "unknown" }), passes("TOKEN_EXPIRED"), passes("FORBIDDEN")], [true, true, true, false]);
});

test("an error is an Error with a name, and plain data where it is kept", () => {
  const error = new ChatError("FORBIDDEN", "no");
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.retryable, error.fate], ["ChatError", false, "rejected"]);
  assert.deepEqual(structuredClone(error.problem), { code: "FORBIDDEN", message: "no", retryable: false });
});

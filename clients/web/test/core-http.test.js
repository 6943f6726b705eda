// REST as the client needs it, and files over it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatError, OF_THE_TOKEN } from "../src/core/errors.js";
import { blobUrl, upload } from "../src/core/files.js";
import { Http, messagePath, threadPath } from "../src/core/http.js";
import { Identity } from "../src/core/identity.js";
import { FakeClock, settled } from "./fake-clock.js";

/** An Http whose fetch answers with these, one after the other; a function answers by itself. */
function talking(answers, identity = new Identity({ token: "abc" })) {
  const clock = new FakeClock();
  const requests = [];
  const fetch = async (url, init) => {
    requests.push({ url, ...init });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return typeof answer === "function" ? answer(url, init) : answer.clone();
  };
  return { http: new Http("https://chat.example", identity, fetch, clock), clock, requests };
}

const json = (body, status = 200) => new Response(JSON.stringify(body), { status });
const refused = (code, status = 400, more = {}) => json({ code, detail: code, retryable: false, fate: "rejected", ...more }, status);
const never = (_, { signal }) => new Promise((_, reject) => {
  const stop = () => reject(new DOMException("aborted", "AbortError"));
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
});
const endsWith = (promise, expected) => assert.rejects(promise, (error) => {
  assert.ok(error instanceof ChatError, `${error}`);
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, name);
  return true;
});

test("a call carries the token in its header, and its body as JSON", async () => {
  const { http, requests } = talking([json({ id: 1 })]);
  assert.deepEqual(await http.call("POST", "/api/x", { body: { a: 1 } }), { id: 1 });
  const [{ url, method, body, headers }] = requests;
  assert.deepEqual([url, method, body], ["https://chat.example/api/x", "POST", '{"a":1}']);
  assert.deepEqual(headers, { Authorization: "Bearer abc", "Content-Type": "application/json" });
});

test("of a query what is not given is left out, and everything is escaped", async () => {
  const { http } = talking([json({})]);
  assert.equal(http.url("/api/x", { q: "a&b=ü", n: 0, off: false, none: undefined, nil: null }), "https://chat.example/api/x?q=a%26b%3D%C3%BC&n=0&off=false");
  assert.equal(http.url("/api/x"), "https://chat.example/api/x");
});

test("a strange id never leads to another address", () => {
  assert.equal(threadPath("../../admin?x#y"), "/api/chat/threads/%252E%252E%2F%252E%252E%2Fadmin%3Fx%23y");
  assert.equal(messagePath("a/b~1"), "/api/chat/messages/a%2Fb~1");
});

for (const id of [".", ".."]) {
  test(`the id "${id}" stays inside its route`, () => {
    const { http } = talking([json({})]);
    assert.match(new URL(http.url(`${threadPath(id)}/messages`)).pathname, /^\/api\/chat\/threads\/[^/]+\/messages$/);
  });
}

test("an answer without a body is null", async () => {
  assert.equal(await talking([new Response(null, { status: 204 })]).http.get("/x"), null);
});

test("a refusal is the server's own", async () => {
  const { http } = talking([refused("NOT_A_MEMBER", 403)]);
  await endsWith(http.get("/x"), { code: "NOT_A_MEMBER", retryable: false, fate: "rejected" });
});

for (const [status, code, retryable, fate] of [[502, "INTERNAL", true, "unknown"], [401, "AUTH_FAILED", false, "rejected"], [403, "FORBIDDEN", false, "rejected"], [404, "NOT_FOUND", false, "rejected"], [413, "FRAME_TOO_LARGE", false, "rejected"], [418, "BAD_REQUEST", false, "rejected"], [429, "RATE_LIMITED", true, "rejected"]]) {
  test(`a proxy's page with ${status} is ${code}`, async () => {
    await endsWith(talking([new Response("<html>", { status })]).http.get("/x"), { code, retryable, fate });
  });
}

test("JSON that is no problem of ours is not believed", async () => {
  for (const body of [null, [], "x", 7, { code: 5 }, { error: "x" }]) {
    await endsWith(talking([json(body, 503)]).http.get("/x"), { code: "INTERNAL", retryable: true });
  }
});

test("an answer that is no JSON is an unknown fate", async () => {
  await endsWith(talking([new Response("<html>captive portal")]).http.get("/x"), { code: "NETWORK", retryable: true, fate: "unknown" });
});

test("no network is an unknown fate", async () => {
  const { http } = talking([() => Promise.reject(new TypeError("Failed to fetch"))]);
  await endsWith(http.get("/x"), { code: "NETWORK", retryable: true, fate: "unknown" });
});

test("a call ends within 15 s", async () => {
  const { http, clock } = talking([never]);
  const call = endsWith(http.call("POST", "/x", { body: {} }), { code: "NETWORK", retryable: true, fate: "unknown" });
  await clock.pass(15_000);
  await call;
  assert.equal(clock.pending, 0);
});

test("an answer whose body never ends is given up too", async () => {
  const { http, clock } = talking([(_, { signal }) => new Response(new ReadableStream({
    start: (stream) => signal.addEventListener("abort", () => stream.error(new DOMException("x", "AbortError"))),
  }))]);
  const call = endsWith(http.get("/x"), { code: "NETWORK" });
  await clock.pass(15_000);
  await call;
  assert.equal(clock.pending, 0);
});

for (const code of OF_THE_TOKEN) {
  test(`${code} is asked again once with a fresh token, where one can be had`, async () => {
    let asked = 0;
    const identity = new Identity({ token: async () => `token ${(asked += 1)}` });
    const { http, requests } = talking([refused(code, 401), json("good")], identity);
    assert.equal(await http.get("/x"), "good");
    assert.deepEqual(requests.map(({ headers }) => headers.Authorization), ["Bearer token 1", "Bearer token 2"]);
    const again = talking([refused(code, 401)], identity);
    await endsWith(again.http.get("/x"), { code });
    assert.equal(again.requests.length, 2);
  });
}

test("a fixed token is not asked with again", async () => {
  const { http, requests } = talking([refused("TOKEN_EXPIRED", 401)]);
  await endsWith(http.get("/x"), { code: "TOKEN_EXPIRED" });
  assert.equal(requests.length, 1);
});

test("a token that cannot be had is no network", async () => {
  const { http } = talking([json({})], new Identity({ token: () => Promise.reject(new Error("x")) }));
  await endsWith(http.get("/x"), { code: "NETWORK", retryable: true });
});

// --- files ---

const FILE = { id: "t1~f01", name: "a.png", contentType: "image/png", sizeBytes: 3, width: 1, height: 1, url: "https://evil.example/x", thumbnailUrl: null };

test("an upload goes to its thread with its name, and tells how far it is", async () => {
  const { http, requests } = talking([json(FILE)]);
  const progress = [];
  const file = new File(["abc"], `${"x".repeat(300)}.png`);
  assert.deepEqual(await upload(http, "t1", file, { onProgress: (...far) => progress.push(far) }, false), FILE);
  const { pathname, searchParams } = new URL(requests[0].url);
  assert.deepEqual([pathname, searchParams.get("threadId"), searchParams.get("name").length], ["/api/chat/attachments", "t1", 255]);
  assert.equal(requests[0].body, file);
  assert.deepEqual(progress, [[0, 3], [3, 3]]);
});

test("an upload takes as long as it takes, and its signal stops it", async () => {
  const { http, clock } = talking([never]);
  const stop = new AbortController();
  const going = endsWith(upload(http, "t1", new Blob(["abc"]), { signal: stop.signal }, false), { code: "ABORTED" });
  await clock.pass(600_000);
  stop.abort();
  await going;
  await endsWith(upload(http, "t1", new Blob(["abc"]), { signal: stop.signal }, false), { code: "ABORTED" });
});

test("the token goes to our own gateway, whatever a message says its file's address is", async () => {
  const { http, requests } = talking([new Response("abc"), new Response("abc")]);
  URL.revokeObjectURL(await blobUrl(http, FILE, false));
  URL.revokeObjectURL(await blobUrl(http, { ...FILE, thumbnailUrl: "//evil.example" }, true));
  assert.deepEqual(requests.map(({ url }) => url), ["https://chat.example/api/chat/attachments/t1~f01", "https://chat.example/api/chat/attachments/t1~f01?thumbnail=true"]);
});

test("with XMLHttpRequest an upload tells each step, and ends as the server or the signal says", async (t) => {
  let last;
  globalThis.XMLHttpRequest = class {
    upload = {};
    headers = {};
    open(method, url) { Object.assign(this, { method, url }); last = this; }
    setRequestHeader(name, value) { this.headers[name] = value; }
    send(body) { this.body = body; }
    abort() { this.onabort(); this.onloadend(); }
    ends(status, response) { Object.assign(this, { status, response }); this.onload(); this.onloadend(); }
  };
  t.after(() => delete globalThis.XMLHttpRequest);
  const { http } = talking([json({})]);
  const file = new Blob(["abcdef"]);
  const progress = [];
  const good = upload(http, "t1", file, { onProgress: (sent) => progress.push(sent) }, true);
  await settled();
  last.upload.onprogress({ loaded: 4 });
  last.ends(201, FILE);
  assert.deepEqual(await good, FILE);
  assert.deepEqual(progress, [0, 4, 6]);
  assert.equal(last.headers.Authorization, "Bearer abc");

  const tooLarge = endsWith(upload(http, "t1", file, {}, true), { code: "ATTACHMENT_TOO_LARGE" });
  await settled();
  last.ends(413, { code: "ATTACHMENT_TOO_LARGE", detail: "x", retryable: false, fate: "rejected" });
  await tooLarge;

  const offline = endsWith(upload(http, "t1", file, {}, true), { code: "NETWORK", retryable: true });
  await settled();
  last.onerror();
  await offline;

  const stop = new AbortController();
  const stopped = endsWith(upload(http, "t1", file, { signal: stop.signal }, true), { code: "ABORTED" });
  await settled();
  stop.abort();
  await stopped;
});

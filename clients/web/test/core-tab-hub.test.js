// One connection and many tabs: who hears what.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Hub } from "../src/core/tab-hub.js";

let hub;
let sent;
let told;
beforeEach(() => {
  sent = [];
  told = [];
  hub = new Hub(
    (frame) => sent.push(frame) > 0,
    (tabs, frame) => told.push([tabs, frame]),
  );
});

const subscribe = (threadId, ref, sinceRev) => ({ type: "subscribe", threadId, ref, sinceRev });
/** The server answers what was sent last. */
const answer = (more) => hub.received({ ...more, ref: sent.at(-1).ref });
const follow = (tab, threadId, rev = 1) => {
  hub.from(tab, subscribe(threadId, "s1"));
  answer({ type: "subscribed", threadId, rev });
  told.length = 0;
};

test("an answer goes to the tab that asked, by the ref it chose", () => {
  hub.from("a", subscribe("t", "s1"));
  hub.from("b", subscribe("t", "s1"));
  const [first, second] = sent;
  assert.notEqual(first.ref, second.ref);
  hub.received({ type: "subscribed", threadId: "t", rev: 3, ref: second.ref });
  hub.received({ type: "subscribed", threadId: "t", rev: 3, ref: first.ref });
  assert.deepEqual(told.slice(0, 1), [[["b"], { type: "subscribed", threadId: "t", rev: 3, ref: "s1" }]]);
  assert.deepEqual(told.at(-2), [["a"], { type: "subscribed", threadId: "t", rev: 3, ref: "s1" }]);
});

test("events of a thread go to those who follow it, from their own answer on", () => {
  follow("a", "t");
  hub.from("b", subscribe("t", "s1"));
  hub.received({ type: "message", threadId: "t", rev: 2 });
  assert.deepEqual(told, [[["a"], { type: "message", threadId: "t", rev: 2 }]]);
  answer({ type: "subscribed", threadId: "t", rev: 2 });
  told.length = 0;
  hub.received({ type: "typing", threadId: "t" });
  hub.received({ type: "message", threadId: "other", rev: 9 });
  assert.deepEqual(told, [[["a", "b"], { type: "typing", threadId: "t" }]]);
});

test("who follows already is told how far another tab's subscribe reached", () => {
  follow("a", "t");
  hub.from("b", subscribe("t", "s1"));
  answer({ type: "subscribed", threadId: "t", rev: 7 });
  assert.deepEqual(told.at(-1), [["a"], { type: "elsewhere", threadId: "t", rev: 7 }]);
});

test("who follows already asks again when another tab's subscribe was refused; a refusal never goes in circles", () => {
  follow("a", "t");
  follow("b", "t");
  hub.from("c", subscribe("t", "s1"));
  answer({ type: "error", code: "STORE_UNAVAILABLE" });
  assert.deepEqual(told.at(-1), [["a", "b"], { type: "elsewhere", threadId: "t", rev: undefined }]);
  for (const tab of ["a", "b"]) {
    told.length = 0;
    hub.from(tab, subscribe("t", "s2"));
    answer({ type: "error", code: "STORE_UNAVAILABLE" });
    assert.deepEqual(told.map(([tabs]) => tabs), [[tab]]);
  }
});

test("the server is asked to leave a thread when the last tab has left it", () => {
  follow("a", "t");
  follow("b", "t");
  sent.length = 0;
  hub.from("a", { type: "unsubscribe", threadId: "t" });
  assert.deepEqual(sent, []);
  hub.left("b");
  assert.deepEqual(sent, [{ type: "unsubscribe", threadId: "t" }]);
  hub.from("a", { type: "unsubscribe", threadId: "t" });
  assert.equal(sent.length, 1);
});

test("presence is watched of whoever any tab names, 200 at most, and no longer when it is gone", () => {
  hub.from("a", { type: "presence_watch", userIds: ["x", "y"] });
  hub.from("b", { type: "presence_watch", userIds: ["y", "z"] });
  assert.deepEqual(sent.at(-1).userIds, ["x", "y", "z"]);
  hub.left("a");
  assert.deepEqual(sent.at(-1).userIds, ["y", "z"]);
  hub.from("b", { type: "presence_watch", userIds: Array.from({ length: 300 }, (_, n) => `u${n}`) });
  assert.equal(sent.at(-1).userIds.length, 200);
});

test("a person is away when every tab says so", () => {
  const says = (tab, status) => hub.from(tab, { type: "presence_set", status, ref: "r1" });
  const said = () => sent.filter(({ type }) => type === "presence_set").map(({ status }) => status);
  hub.joined("a");
  hub.joined("b");
  says("a", "away");
  assert.deepEqual(said(), []);
  assert.deepEqual(told, [[["a"], { type: "ack", ref: "r1" }]]);
  says("b", "away");
  assert.deepEqual(said(), ["away"]);
  hub.joined("c");
  assert.deepEqual(said(), ["away", "online"]);
  hub.left("c");
  says("b", "online");
  hub.left("b");
  assert.deepEqual(said(), ["away", "online", "away", "online", "away"]);
});

test("delivered is told once however many tabs say it; read is told each time", () => {
  for (const tab of ["a", "b"]) {
    hub.from(tab, { type: "delivered_receipt", threadId: "t", seq: 5 });
    hub.from(tab, { type: "read_receipt", threadId: "t", seq: 5 });
  }
  hub.from("a", { type: "delivered_receipt", threadId: "t", seq: 6 });
  hub.from("a", { type: "delivered_receipt", threadId: "u", seq: 1 });
  const count = (type) => sent.filter((frame) => frame.type === type).length;
  assert.deepEqual([count("delivered_receipt"), count("read_receipt")], [3, 2]);
});

test("answers to messages, presence and counts go to every tab; pings and tokens are the leader's alone", () => {
  const ack = { type: "message_ack", threadId: "t", clientMessageId: "m", rev: 4 };
  for (const frame of [ack, { type: "presence", userId: "bob" }, { type: "resync", threadId: "t" }, { type: "pong", id: "1" }]) hub.received(frame);
  assert.deepEqual(told.map(([tabs, { type }]) => [tabs, type]), [[null, "message_ack"], [null, "presence"], [null, "resync"]]);
});

test("a tab that comes later hears the last word on each user and each count", () => {
  hub.received({ type: "unread", threadId: "old", version: 1 });
  hub.received({ type: "unread_snapshot", items: [], version: 2 });
  hub.received({ type: "unread", threadId: "t", version: 3 });
  hub.received({ type: "unread", threadId: "t", version: 4 });
  hub.received({ type: "presence", userId: "bob", status: "online" });
  hub.received({ type: "presence", userId: "bob", status: "offline" });
  assert.deepEqual(hub.told, [
    { type: "unread_snapshot", items: [], version: 2 },
    { type: "unread", threadId: "t", version: 4 },
    { type: "presence", userId: "bob", status: "offline" },
  ]);
});

test("what a hub remembers is bounded", () => {
  for (let user = 0; user < 5_000; user += 1) hub.received({ type: "presence", userId: `u${user}` });
  assert.equal(hub.told.length, 3_000);
  assert.equal(hub.told.at(-1).userId, "u4999");
});

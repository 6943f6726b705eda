// Typing, presence, unread counts and receipts: what is told, and what is believed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PresenceView } from "../src/core/presence.js";
import { Receipts } from "../src/core/receipts.js";
import { TypingTeller, TypingView } from "../src/core/typing.js";
import { UnreadView } from "../src/core/unread.js";
import { SEED, chance } from "./fake-clock.js";

// --- typing ---

const typing = (userId, isTyping = true, more = {}) => ({ type: "typing", threadId: "t1", userId, userType: "user", isTyping, expiresInMs: 3_000, ...more });

test("typing: somebody writes from a notice on until 3 s after the last one", () => {
  const view = new TypingView();
  assert.equal(view.receive(typing("bob"), 0), true);
  assert.equal(view.receive(typing("bob"), 2_000), false);
  assert.deepEqual([...view.expire(4_999)], []);
  assert.equal(view.nextEnd, 5_000);
  assert.deepEqual([...view.expire(5_000)], ["t1"]);
  assert.deepEqual(view.writers("t1"), []);
  assert.equal(view.nextEnd, Infinity);
});

test("typing: a stop or a message ends it, for that user and thread alone", () => {
  const view = new TypingView();
  for (const notice of [typing("bob"), typing("carol"), typing("bob", true, { threadId: "t2" })]) view.receive(notice, 0);
  assert.equal(view.receive(typing("bob", false), 1), true);
  assert.equal(view.receive(typing("bob", false), 2), false);
  assert.deepEqual([view.writers("t1"), view.writers("t2")], [["carol"], ["bob"]]);
  assert.equal(view.said("t1", "carol"), true);
  assert.deepEqual([...view.clear()], ["t2"]);
});

test("typing: a notice without a time lasts 3 s, and a crowd is bounded", () => {
  const view = new TypingView();
  for (let number = 0; number < 1_000; number += 1) view.receive(typing(`u${number}`, true, { expiresInMs: undefined }), 0);
  assert.equal(view.writers("t1").length, 200);
  assert.equal(view.nextEnd, 3_000);
});

test("typing: own writing is said every 2 s at most, its end once", () => {
  const teller = new TypingTeller();
  const said = [[true, 0], [true, 100], [true, 1_999], [true, 2_000], [false, 2_100], [false, 2_200]];
  assert.deepEqual(said.map(([isTyping, now]) => teller.say(isTyping, now)), [true, false, false, true, true, false]);
});

test("typing: after a message was sent nothing has to end, and the next key is said at once", () => {
  const teller = new TypingTeller();
  teller.say(true, 0);
  teller.over();
  assert.equal(teller.say(false, 10), false);
  assert.equal(teller.say(true, 20), true);
});

// --- presence ---

const presence = (userId, status, version, lastSeenAt = null) => ({ type: "presence", userId, status, lastSeenAt, version });

test("presence: the higher version is shown, in whatever order they come", () => {
  const view = new PresenceView();
  assert.equal(view.get("bob"), undefined);
  assert.equal(view.receive(presence("bob", "offline", 7, "2026-01-31T12:00:00.000Z")), true);
  assert.equal(view.receive(presence("bob", "online", 6)), false);
  assert.deepEqual(view.get("bob"), { status: "offline", lastSeenAt: "2026-01-31T12:00:00.000Z" });
});

test("presence: a notice that changes nothing is no news", () => {
  const view = new PresenceView();
  view.receive(presence("bob", "online", 1));
  assert.equal(view.receive(presence("bob", "online", 2)), false);
});

test("presence: on a new connection, or after a new question, the first notice is believed whatever its version", () => {
  const view = new PresenceView();
  view.receive(presence("bob", "online", 9));
  view.connected();
  assert.equal(view.receive(presence("bob", "away", 3)), true);
  assert.equal(view.receive(presence("bob", "online", 2)), false);
  view.asked(["bob"]);
  assert.equal(view.receive(presence("bob", "dnd", 1)), true);
});

test("presence: after a goodbye the next notice is believed, also one that is older than it", () => {
  // The gateway says goodbye with a version of its own making; a notice of the same state later has the notifier's.
  const view = new PresenceView();
  view.receive(presence("bob", "online", 100));
  assert.equal(view.receive(presence("bob", "offline", 101)), true);
  assert.equal(view.receive(presence("bob", "online", 100)), true);
  assert.equal(view.get("bob").status, "online");
  assert.equal(view.receive(presence("bob", "away", 99)), false);
});

test("presence: whoever a new connection tells nothing of is forgotten", () => {
  const view = new PresenceView();
  view.receive(presence("bob", "online", 1));
  view.receive(presence("carol", "online", 1));
  view.connected();
  view.receive(presence("bob", "online", 1));
  assert.deepEqual(view.forgetUntold(), ["carol"]);
  assert.equal(view.get("carol"), undefined);
  assert.deepEqual(view.forgetUntold(), []);
});

test("presence: of more than 2,000 users those told of longest ago are forgotten", () => {
  const view = new PresenceView();
  for (let number = 0; number < 2_001; number += 1) view.receive(presence(`u${number}`, "online", 1));
  assert.deepEqual([view.get("u0"), view.get("u1").status], [undefined, "online"]);
});

// --- unread ---

const item = (threadId, unread) => ({ threadId, lastSeq: unread, readSeq: 0, unread, mentions: 0, muted: false, lastMessage: null });
const notice = (threadId, unread, version, totalUnread = unread) => ({ type: "unread", ...item(threadId, unread), totalUnread, version });
const snapshot = (version, ...items) => ({ type: "unread_snapshot", items, more: false, totalUnread: items.reduce((sum, { unread }) => sum + unread, 0), version });
const counts = (view) => [Object.fromEntries([...view.items].map(([id, { unread }]) => [id, unread])), view.total];

test("unread: the higher version is right, and a thread without anything unread is not in it", () => {
  const view = new UnreadView();
  assert.equal(view.receive(notice("t1", 3, 5)), true);
  assert.equal(view.receive(notice("t1", 2, 4)), false);
  assert.equal(view.receive(notice("t1", 3, 5)), false);
  assert.deepEqual(counts(view), [{ t1: 3 }, 3]);
  view.receive(notice("t1", 0, 6));
  assert.deepEqual(counts(view), [{}, 0]);
});

test("unread: a snapshot replaces everything older than itself and nothing newer", () => {
  const view = new UnreadView();
  view.receive(notice("old", 1, 4));
  view.receive(notice("new", 2, 9, 3));
  view.receiveSnapshot(snapshot(6, item("t3", 5), item("new", 1)));
  assert.deepEqual(counts(view), [{ new: 2, t3: 5 }, 3]);
  assert.equal(view.receive(notice("old", 1, 6)), false);
  view.receiveSnapshot(snapshot(5));
  assert.deepEqual(counts(view), [{ new: 2, t3: 5 }, 3]);
});

test("unread: with a replaced store versions begin anew", () => {
  const view = new UnreadView();
  view.receive(notice("t1", 3, 500));
  assert.deepEqual(view.clear(), ["t1"]);
  assert.equal(view.receive(notice("t1", 1, 2)), true);
  assert.deepEqual(counts(view), [{ t1: 1 }, 1]);
});

test("unread: any order and number of notices and snapshots gives the same view", () => {
  for (let run = 0; run < 150; run += 1) {
    const random = chance((SEED + run) * 7_919);
    const truth = new Map();
    const told = [];
    for (let version = 1; version <= 15; version += 1) {
      const threadId = `t${Math.floor(random() * 4)}`;
      truth.set(threadId, Math.floor(random() * 3));
      const total = [...truth.values()].reduce((sum, unread) => sum + unread, 0);
      if (random() < 0.7) told.push(notice(threadId, truth.get(threadId), version, total));
      else told.push(snapshot(version, ...[...truth].filter(([, unread]) => unread).map(([id, unread]) => item(id, unread))));
    }
    const view = new UnreadView();
    const arriving = [...told, ...told.filter(() => random() < 0.3)].toSorted(() => random() - 0.5);
    for (const frame of arriving) frame.type === "unread" ? view.receive(frame) : view.receiveSnapshot(frame);
    const real = Object.fromEntries([...truth].filter(([, unread]) => unread).toSorted());
    assert.deepEqual(Object.fromEntries(Object.entries(counts(view)[0]).toSorted()), real, `CHATTERBUS_SEED=${SEED + run}`);
    assert.equal(view.total, [...truth.values()].reduce((sum, unread) => sum + unread, 0));
  }
});

// --- receipts ---

test("receipts: marks only move forward and are told once", () => {
  const receipts = new Receipts();
  assert.equal(receipts.mark("t1", { read: 0, delivered: 5 }), true);
  assert.equal(receipts.mark("t1", { read: 3, delivered: 3 }), true);
  assert.equal(receipts.mark("t1", { read: 2, delivered: 5 }), false);
  assert.deepEqual(receipts.untold(), [
    { type: "read_receipt", threadId: "t1", seq: 3 },
    { type: "delivered_receipt", threadId: "t1", seq: 5 },
  ]);
  assert.deepEqual(receipts.untold(), []);
});

test("receipts: reading implies delivered", () => {
  const receipts = new Receipts();
  receipts.mark("t1", { read: 5, delivered: 5 });
  assert.deepEqual(receipts.untold().map(({ type }) => type), ["read_receipt"]);
});

test("receipts: what the server has not confirmed is told again on the next connection", () => {
  const receipts = new Receipts();
  receipts.mark("t1", { read: 5, delivered: 5 });
  receipts.mark("t2", { read: 0, delivered: 2 });
  receipts.untold();
  receipts.confirmed("t1", 4, 4);
  receipts.confirmed("t2", 0, 2);
  receipts.tellAgain();
  assert.deepEqual(receipts.untold(), [{ type: "read_receipt", threadId: "t1", seq: 5 }]);
});

test("receipts: what was forgotten is not told, and marking anew starts from nothing", () => {
  const receipts = new Receipts();
  receipts.mark("t1", { read: 5, delivered: 5 });
  receipts.forget("t1");
  assert.deepEqual(receipts.untold(), []);
  assert.equal(receipts.mark("t1", { read: 2, delivered: 2 }), true);
});

test("receipts: bounded, and never a hole in what is told", () => {
  const receipts = new Receipts();
  for (let number = 0; number < 1_500; number += 1) receipts.mark(`t${number}`, { read: 1, delivered: 1 });
  assert.equal(receipts.untold().length, 1_000);
});

// What replies quote, and how far own messages have come.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Members } from "../src/core/members.js";
import { lowestCursors, statusOf } from "../src/core/message-status.js";
import { Quotes, quoteOf, seqOf } from "../src/core/quotes.js";
import { newModel, started } from "./timeline-checks.js";

const lastQuote = (timeline) => timeline.messages.at(-1).replyTo;

test("a live reply quotes the message it answers", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.receive(model.send("bob", "b1", "yes", { replyToId: "t1~2" })[0]);
  assert.deepEqual(lastQuote(timeline), { id: "t1~2", senderId: "alice", content: "text 2", deleted: false });
});

test("a quote follows the edits and the deletion of what it quotes", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.receive(model.send("bob", "b1", "yes", { replyToId: "t1~2" })[0]);
  timeline.receive(model.edit(2, "other")[0]);
  assert.equal(lastQuote(timeline).content, "other");
  timeline.receive(model.delete(2)[0]);
  assert.deepEqual(lastQuote(timeline), { id: "t1~2", senderId: "alice", content: "", deleted: true });
});

test("what was deleted is not shown again by an older page of history", () => {
  const model = newModel(10);
  model.send("bob", "b1", "yes", { replyToId: "t1~1" });
  const old = model.history({ limit: 3 }).items;
  const timeline = started(model, 2);
  timeline.receive(model.delete(1)[0]);
  timeline.receiveHistory(old);
  assert.equal(lastQuote(timeline).content, "");
});

test("a quote of a message that is not loaded comes with the history", () => {
  const model = newModel(10);
  model.send("bob", "b1", "yes", { replyToId: "t1~1" });
  assert.equal(lastQuote(started(model, 2)).content, "text 1");
});

test("a quote is 200 characters long at most and never half an emoji", () => {
  const { content } = quoteOf({ id: "t1~1", senderId: "bob", content: "👋".repeat(300), deleted: false });
  assert.equal(content, "👋".repeat(200));
});

test("a thread's id may hold what separates it from the number", () => {
  assert.deepEqual([seqOf("a~b~12"), seqOf("a~x"), seqOf("")], [12, 0, 0]);
  assert.equal(new Quotes().givenTo({ replyToId: null }, new Map()).replyToId, null);
});

const membersOf = (...members) => new Members({ members });
const member = (userId, deliveredSeq, readSeq) => ({ userId, deliveredSeq, readSeq });

test("delivered and read mean everybody else, not one of them", () => {
  const lowest = lowestCursors(membersOf(member("alice", 9, 9), member("bob", 7, 5), member("carol", 6, 2)), "alice");
  assert.deepEqual([1, 2, 3, 6, 7].map((seq) => statusOf(seq, lowest)), ["read", "read", "delivered", "delivered", "sent"]);
});

test("a message that nobody else could have got is sent", () => {
  assert.equal(statusOf(1, lowestCursors(membersOf(member("alice", 9, 9)), "alice")), "sent");
  assert.equal(statusOf(1, lowestCursors(membersOf(), undefined)), "sent");
});

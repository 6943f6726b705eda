// One thread's view: what goes in, what comes out, and what is never shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "../src/core/timeline.js";
import { ThreadModel } from "./thread-model.js";
import { assertEqual, catchUp, newModel, started } from "./timeline-checks.js";

const contents = (timeline) => timeline.messages.map(({ content }) => content);

test("a first subscribe starts at the server's position", () => {
  const model = newModel();
  const timeline = new Timeline();
  assert.equal(timeline.needs, "replay");
  timeline.subscribed(model.sync()[0]);
  assert.deepEqual([timeline.rev, timeline.lastSeq, timeline.messages], [model.rev, 3, []]);
  assert.equal(timeline.needs, "nothing");
});

test("nothing is believed before the first subscribe was answered", () => {
  const timeline = new Timeline();
  assert.deepEqual(timeline.receive(newModel().send("bob", "b1", "early")[0]), []);
  assert.deepEqual(timeline.messages, []);
});

test("a repeated event is applied once", () => {
  const model = newModel();
  const timeline = started(model);
  const [event] = model.send("bob", "b1", "hello");
  assert.deepEqual(timeline.receive(event), [event]);
  assert.deepEqual(timeline.receive(event), []);
  assertEqual(timeline, model);
});

test("an event that could not be applied is not taken for seen", () => {
  const model = newModel();
  const timeline = started(model);
  const [event] = model.send("bob", "b1", "hello");
  assert.throws(() => timeline.receive({ ...event, data: undefined }), TypeError);
  assert.deepEqual(timeline.receive(event), [event]);
  assertEqual(timeline, model);
});

test("events out of order come out in order", () => {
  const model = newModel();
  const timeline = started(model);
  const [first] = model.send("bob", "b1", "one");
  const [second] = model.send("bob", "b2", "two");
  assert.deepEqual(timeline.receive(second), []);
  assert.equal(timeline.needs, "changes");
  assert.deepEqual(timeline.receive(first), [first, second]);
  assertEqual(timeline, model);
});

test("a gap is filled by changes, and what was held above it is not told twice", () => {
  const model = newModel();
  const timeline = started(model);
  model.send("bob", "b1", "lost");
  const [held] = model.send("bob", "b2", "held");
  timeline.receive(held);
  const applied = catchUp(timeline, model);
  assert.deepEqual(applied.filter(({ type }) => type === "message").map(({ data }) => data.content), ["lost", "held"]);
  assert.deepEqual(timeline.receive(held), []);
  assertEqual(timeline, model);
});

test("a message that was told live is told as changed when a page has it with its edit", () => {
  const model = newModel();
  const timeline = started(model);
  const [sent] = model.send("bob", "b1", "one");
  model.edit(4, "two");
  timeline.resync();
  timeline.fetching();
  const page = model.changes(timeline.resumeRev);
  const told = [...timeline.receive(sent), ...timeline.receivePage(page)];
  assert.deepEqual(told.map(({ type }) => type).filter((type) => type.startsWith("message")), ["message", "message_updated"]);
  assert.equal(contents(timeline)[3], "two");
});

test("a message and its sender's receipt share a rev, and both are applied", () => {
  const model = newModel();
  const timeline = started(model);
  model.send("bob", "b1", "lost");
  timeline.resync();
  catchUp(timeline, model);
  assert.equal(timeline.members.get("bob").readSeq, 4);
  assertEqual(timeline, model);
});

test("a page of changes that is older than live events takes nothing back", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.resync();
  timeline.fetching();
  const page = model.changes(timeline.resumeRev);
  timeline.receive(model.edit(1, "newer")[0]);
  timeline.receivePage(page);
  assert.equal(contents(timeline)[0], "newer");
  assertEqual(timeline, model);
});

test("a history page that was read before an edit does not bring the old text back", () => {
  const model = newModel(10);
  const timeline = started(model, 2);
  const page = model.history({ beforeSeq: timeline.oldestSeq });
  timeline.receive(model.edit(1, "newer")[0]);
  assert.equal(timeline.oldestSeq, 9);
  timeline.receiveHistory(page.items);
  assert.equal(timeline.oldestSeq, 1);
  assert.equal(contents(timeline)[0], "newer");
});

test("a history page that does not join the view makes no hole in it", () => {
  const model = newModel(10);
  const timeline = started(model, 2);
  timeline.receiveHistory(model.history({ beforeSeq: 5, limit: 2 }).items);
  assert.deepEqual(timeline.messages.map(({ seq }) => seq), [9, 10]);
});

test("an edit of a message that is not loaded makes no hole in the view", () => {
  const model = newModel(10);
  const timeline = started(model, 2);
  timeline.receive(model.edit(3, "newer")[0]);
  assert.deepEqual(timeline.messages.map(({ seq }) => seq), [9, 10]);
});

test("a doubt that is raised during a fetch outlives it", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.resync();
  timeline.fetching();
  const page = model.changes(timeline.resumeRev);
  timeline.resync();
  timeline.receivePage(page);
  assert.equal(timeline.needs, "changes");
});

test("a resumed subscription replays superseded changes without seeing gaps", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.disconnected();
  model.send("bob", "b1", "one");
  model.edit(4, "two");
  model.edit(4, "three");
  const [subscribed, ...changes] = model.sync(timeline.resumeRev);
  timeline.subscribed(subscribed);
  assert.equal(timeline.needs, "replay");
  const created = changes.flatMap((change) => timeline.receive(change)).filter(({ type }) => type === "message");
  assert.deepEqual(created.map(({ data }) => data.content), ["three"]);
  assertEqual(timeline, model);
});

test("a replay that is cut between two changes of one rev loses neither", () => {
  const model = newModel();
  const before = model.sync()[0];
  model.send("bob", "b1", "one");
  model.edit(1, "later");
  const [subscribed, one, other, later] = model.sync(before.rev);
  assert.deepEqual([one.rev, other.rev, later.rev], [before.rev + 1, before.rev + 1, before.rev + 2]);
  for (const changes of [[one, other, later], [other, one, later]]) {
    for (let cutAfter = 0; cutAfter <= changes.length; cutAfter += 1) {
      const timeline = new Timeline();
      timeline.subscribed(before);
      timeline.subscribed(subscribed);
      const told = changes.slice(0, cutAfter).flatMap((change) => timeline.receive(change));
      timeline.disconnected();
      const [again, ...rest] = model.sync(timeline.resumeRev);
      timeline.subscribed(again);
      told.push(...rest.flatMap((change) => timeline.receive(change)));
      const names = told.map(({ rev, type }) => `${rev} ${type}`);
      assert.ok(names.includes(`${one.rev} message`), `cut after ${cutAfter}`);
      assert.equal(new Set(names).size, names.length, `cut after ${cutAfter}`);
      timeline.disconnected();
      catchUp(timeline, model);
      assert.equal(timeline.messages.find(({ seq }) => seq === 4).content, "one");
    }
  }
});

test("a page is followed by fetching the rest, while live events wait", () => {
  const model = newModel();
  const timeline = started(model);
  timeline.disconnected();
  for (let number = 0; number < 20; number += 1) model.send("bob", `b${number}`, `missed ${number}`);
  const [subscribed, ...changes] = model.sync(timeline.resumeRev, { limit: 5 });
  assert.equal(subscribed.result, "page");
  timeline.subscribed(subscribed);
  for (const change of changes) timeline.receive(change);
  assert.equal(timeline.needs, "changes");
  assert.deepEqual(timeline.receive(model.send("bob", "live", "live")[0]), []);
  catchUp(timeline, model, 5);
  assertEqual(timeline, model);
});

test("the view stays readable during a reset, and is exact after it", () => {
  const timeline = started(newModel(5));
  const restored = newModel(2);
  timeline.disconnected();
  const [subscribed] = restored.sync(timeline.resumeRev);
  assert.equal(subscribed.result, "reset");
  timeline.subscribed(subscribed);
  assert.equal(timeline.needs, "history");
  assert.deepEqual(timeline.messages.map(({ seq }) => seq), [1, 2]);
  timeline.receive(restored.send("bob", "b1", "live")[0]);
  assert.deepEqual(timeline.messages.map(({ seq }) => seq), [1, 2, 3]);
  timeline.replace(restored.history().items);
  assertEqual(timeline, restored);
});

test("an answer whose rev is behind ours is a reset, whatever it calls itself", () => {
  const timeline = started(newModel(5));
  const restored = newModel(2);
  timeline.disconnected();
  timeline.subscribed({ ...restored.sync()[0], result: "complete" });
  assert.equal(timeline.needs, "history");
  catchUp(timeline, restored);
  assertEqual(timeline, restored);
});

test("a replaced store makes every old rev void", () => {
  const timeline = started(newModel(5));
  const other = new ThreadModel("t1", ["bob"]);
  other.send("bob", "x", "other");
  timeline.abandon();
  timeline.subscribed(other.sync()[0]);
  catchUp(timeline, other);
  assertEqual(timeline, other);
});

test("titles and metadata come with events, and an older reading of them changes nothing", () => {
  const model = newModel();
  const timeline = started(model);
  const old = model.detail("alice");
  timeline.receive(model.retitle("Order 4711", { orderId: 4711 })[0]);
  timeline.receiveDetails(old);
  assert.equal(timeline.details.title, "Order 4711");
  assert.deepEqual(timeline.details.metadata, { orderId: 4711 });
});

test("cursors only move forward, whatever comes late", () => {
  const model = newModel();
  const timeline = started(model);
  const old = model.members.find(({ userId }) => userId === "bob");
  timeline.receive(model.read("bob", 3)[0]);
  timeline.receive(model.retitle("new")[0]);
  timeline.receive({ type: "member_added", threadId: "t1", rev: model.rev + 1, data: { ...old, role: "owner", rev: model.rev + 1 } });
  const { role, readSeq, deliveredSeq } = timeline.members.get("bob");
  assert.deepEqual([role, readSeq, deliveredSeq], ["owner", 3, 3]);
});

test("the view is bounded and keeps the newest", () => {
  const model = newModel(0);
  const timeline = started(model);
  for (let number = 0; number < 5_600; number += 1) timeline.receive(model.send("alice", `a${number}`, "text")[0]);
  const seqs = timeline.messages.map(({ seq }) => seq);
  assert.ok(seqs.length <= 5_000);
  assert.equal(seqs.at(-1), 5_600);
  assert.equal(seqs.length, 5_600 - timeline.oldestSeq + 1);
});

test("events held above a gap are bounded, and nothing is lost by it", () => {
  const model = newModel(0);
  const timeline = started(model);
  model.send("alice", "lost", "lost");
  for (let number = 0; number < 1_500; number += 1) timeline.receive(model.send("alice", `a${number}`, "text")[0]);
  catchUp(timeline, model);
  assertEqual(timeline, model);
});

test("a state that did not change is shown as the same object", () => {
  const model = newModel();
  model.send("bob", "b1", "a reply", { replyToId: "t1~1" });
  const timeline = started(model);
  const before = timeline.messages;
  timeline.receive(model.send("bob", "b2", "next")[0]);
  assert.deepEqual(before.map((state, index) => state === timeline.messages[index]), [true, true, true, true]);
});

// What timeline tests share: a thread with three people, a view of it, and whether the two are equal.

import assert from "node:assert/strict";

import { Timeline } from "../src/core/timeline.js";
import { ThreadModel } from "./thread-model.js";

export const USERS = ["alice", "bob", "carol"];

export function newModel(messages = 3) {
  const model = new ThreadModel("t1", USERS);
  for (let number = 1; number <= messages; number += 1) model.send("alice", `a${number}`, `text ${number}`);
  return model;
}

export function started(model, limit = 50) {
  const timeline = new Timeline();
  timeline.subscribed(model.sync()[0]);
  timeline.receiveHistory(model.history({ limit }).items);
  return timeline;
}

/** What the shell does when something is missing. @returns the events that were applied */
export function catchUp(timeline, model, pageLimit = 500) {
  const applied = [];
  for (let round = 0; round < 1_000; round += 1) {
    if (timeline.needs === "nothing") return applied;
    if (timeline.needs === "history") {
      timeline.replace(model.history().items);
      if (timeline.details) timeline.receiveDetails(model.details);
    } else if (timeline.needs === "members") {
      timeline.members.receive(model.receipts(timeline.members.cursor));
    } else {
      timeline.fetching();
      applied.push(...timeline.receivePage(model.changes(timeline.resumeRev, pageLimit)));
    }
  }
  throw new Error(`no end of ${timeline.needs}`);
}

export const picked = (random, list) => list[Math.floor(random() * list.length)];

/** Somebody does something. @returns the live events of it */
export function acts(model, random, serial, users = USERS) {
  const [user, seq] = [picked(random, users), 1 + Math.floor(random() * 12)];
  const isMember = model.members.some(({ userId }) => userId === user);
  const send = (more) => (isMember ? model.send(user, `${user}-${serial}`, `text ${serial}`, more) : []);
  const reply = () => send(model.lastSeq && { replyToId: `t1~${Math.min(seq, model.lastSeq)}` });
  return picked(random, [
    send, send, reply, reply,
    () => model.edit(seq, `edited ${serial}`),
    () => model.delete(seq),
    () => model.react(user, seq, "👍"),
    () => model.read(user, seq),
    () => model.deliver(user, seq),
    () => model.join(user),
    () => model.join(user, "owner"),
    () => model.remove(user),
    () => model.retitle(`title ${serial}`, { serial }),
  ])();
}

const bare = (state) => ({ ...state, replyTo: null });
const cursors = (members) => Object.fromEntries([...members].map((m) => [m.userId, [m.role, m.readSeq, m.deliveredSeq]]));
const seqOf = (messageId) => Number(messageId.split("~").at(-1));

export function assertEqual(timeline, model) {
  assert.equal(timeline.needs, "nothing");
  assert.equal(timeline.rev, model.rev);
  assertShows(timeline, timeline.messages, model);
}

/** Whether what is shown is the thread as it is, from the oldest shown on, and every quote in it true. */
export function assertShows({ lastSeq, oldestSeq, members, details }, shown, model) {
  assert.equal(lastSeq, model.lastSeq);
  const real = [];
  for (let seq = oldestSeq; seq <= model.lastSeq; seq += 1) real.push(model.quoted(seq));
  assert.deepEqual(shown.map(bare), real.map(bare));
  for (const [index, { replyToId, replyTo }] of real.entries()) {
    if (!replyToId) continue;
    const quote = shown[index].replyTo;
    if (quote || seqOf(replyToId) >= oldestSeq) assert.deepEqual(quote, replyTo);
  }
  assert.deepEqual(cursors(members.values()), cursors(model.members));
  if (details) assert.deepEqual([details.title, details.metadata], [model.title, model.metadata]);
}

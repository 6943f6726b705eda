// Whatever the network does to the events, the view ends equal to the server's thread. CHATTERBUS_SEED repeats a run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SEED, chance } from "./fake-clock.js";
import { acts, assertEqual, catchUp, newModel, picked, started } from "./timeline-checks.js";

const RUNS = Number(process.env.CHATTERBUS_RUNS) || 400;

/** Connections whose replay is cut, and one whose replay is not. */
function resumes(timeline, model, random, limit) {
  const told = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    timeline.disconnected();
    const [subscribed, ...changes] = model.sync(timeline.resumeRev, { limit });
    timeline.subscribed(subscribed);
    const arriving = attempt === 2 ? changes.length : Math.floor(random() * (changes.length + 1));
    for (const change of changes.slice(0, arriving)) told.push(...timeline.receive(change));
  }
  return told;
}

/** @returns a page of them, to be applied later; in vain, if the thread was begun anew meanwhile */
function members({ members }, model) {
  const page = model.receipts(members.cursor);
  return () => members.receive(page);
}

/** Events are lost, doubled and swapped; pages come late; connections break. */
function lives(random) {
  const model = newModel();
  if (random() < 0.5) model.membersLimit = 1 + Math.floor(random() * 2); // as a large thread, of which a frame names the first
  const timeline = started(model, 1 + Math.floor(random() * 3));
  timeline.receiveDetails(model.details);
  const limit = 1 + Math.floor(random() * 8);
  const told = [];
  const reads = [() => model.history({ limit: 3 }).items];
  let [underWay, page, history] = [[], null, reads[0]()];
  let further = null;
  for (let serial = 0; serial < 25; serial += 1) {
    underWay.push(...acts(model, random, serial));
    if (random() < 0.15) underWay = underWay.filter(() => random() < 0.5);
    if (random() < 0.2) underWay.sort(() => random() - 0.5);
    if (random() < 0.2 && underWay.length) underWay.push(picked(random, underWay));
    if (random() < 0.1) history = model.history({ limit: 1 + Math.floor(random() * 8) }).items;
    if (random() < 0.2) timeline.receiveHistory(history);
    if (random() < 0.2) timeline.receiveHistory(model.history({ beforeSeq: timeline.oldestSeq, limit: 3 }).items);
    if (page && random() < 0.5) {
      told.push(...timeline.receivePage(page));
      page = null;
    } else if (!page && timeline.needs === "changes" && random() < 0.5) {
      timeline.fetching();
      page = model.changes(timeline.resumeRev, limit);
    }
    if (further && random() < 0.5) {
      further();
      further = null;
    } else if (!further && timeline.needs === "members" && random() < 0.5) {
      further = members(timeline, model); // read now, and applied after what happens next
    }
    if (random() < 0.5) for (const event of underWay.splice(0)) told.push(...timeline.receive(event));
    if (random() < 0.08) {
      [underWay, page, further] = [[], null, null];
      told.push(...resumes(timeline, model, random, limit));
    }
    if (random() < 0.05) timeline.resync();
  }
  if (page) told.push(...timeline.receivePage(page));
  told.push(...resumes(timeline, model, random, limit));
  told.push(...catchUp(timeline, model, limit));
  return { model, timeline, told };
}

test("any loss, order and number of events and pages ends with the server's thread, each message told once", () => {
  for (let run = 0; run < RUNS; run += 1) {
    const seed = SEED + run;
    try {
      const { model, timeline, told } = lives(chance(seed * 7_919));
      assertEqual(timeline, model);
      const news = told.filter(({ type }) => type === "message").map(({ data }) => data.seq);
      assert.equal(new Set(news).size, news.length, `told twice: ${news}`);
      const revs = told.map(({ rev }) => rev);
      assert.deepEqual(revs, revs.toSorted((a, b) => a - b), "told out of order");
    } catch (error) {
      throw new Error(`CHATTERBUS_SEED=${seed}: ${error.message}`, { cause: error });
    }
  }
});

/**
 * What was sent and is not yet known to be stored, and what of it may go out now. Pure: time is an argument.
 *
 * Promises: per thread, messages go out in the order they were written, one unanswered at a time, so that order holds
 * even when one in the middle is refused for now. On a new channel (a new socket, or HTTP) everything unanswered goes
 * out again from the first, with the same clientMessageId. One that is `queued` holds its place and nobody else's. A
 * refusal that may pass is repeated with backoff; a final one takes the message out.
 * Does not promise to survive the page: outbox-store does.
 */

/** @typedef {import("./types.js").OutboxEntry} OutboxEntry */
/** @typedef {{entry: OutboxEntry, stage: "waiting" | "in flight" | "queued", at: number, refusals: number}} Item */

/** How long to wait for an answer before the same message is sent again, on a socket that lives. */
const ANSWER_MS = 15_000;
const RETRY_INITIAL_MS = 500;
const RETRY_MAXIMUM_MS = 30_000;

export class Outbox {
  #random;
  /** In the order of writing. @type {Map<string, Item>} */ #items = new Map();

  /** @param {() => number} random in [0, 1) */
  constructor(random) {
    this.#random = random;
  }

  get size() {
    return this.#items.size;
  }

  /** After all that are there, unless it is there. @param {OutboxEntry} entry */
  add(entry) {
    if (!this.#items.has(entry.clientMessageId)) {
      this.#items.set(entry.clientMessageId, { entry, stage: "waiting", at: 0, refusals: 0 });
    }
  }

  /** A new channel: whatever is unanswered goes out again. One that was refused for a while keeps its waiting time. */
  begin() {
    for (const id of this.#items.keys()) this.putBack(id);
  }

  /** What goes out now, in order; it counts as in flight from here on. @param {number} now @returns {OutboxEntry[]} */
  due(now) {
    const due = [];
    const held = new Set();
    for (const item of this.#items.values()) {
      const { threadId } = item.entry;
      if (held.has(threadId) || (item.stage === "queued" && item.at > now)) continue;
      held.add(threadId);
      if (item.at > now) continue;
      item.stage = "in flight";
      item.at = now + ANSWER_MS;
      due.push(item.entry);
    }
    return due;
  }

  /** The earliest time at which `due` may have more to say by itself; Infinity: never. */
  get nextAt() {
    let next = Infinity;
    const held = new Set();
    for (const item of this.#items.values()) {
      if (held.has(item.entry.threadId)) continue;
      next = Math.min(next, item.at);
      if (item.stage !== "queued") held.add(item.entry.threadId);
    }
    return next;
  }

  /** It was due and did not go out after all, or on a channel that is gone. @param {string} id */
  putBack(id) {
    const item = this.#items.get(id);
    if (item && item.stage !== "waiting") {
      item.stage = "waiting";
      item.at = 0;
    }
  }

  /** The server holds it safely and has not stored it yet. @param {string} id @param {number} askAgainAt @returns {boolean} whether it is ours */
  queued(id, askAgainAt) {
    const item = this.#items.get(id);
    if (item) {
      item.stage = "queued";
      item.at = askAgainAt;
    }
    return item !== undefined;
  }

  /** @param {string} id @param {boolean} mayPass @param {number | undefined} retryAfterMs @param {number} now @returns {boolean} whether that was the end of it */
  refused(id, mayPass, retryAfterMs, now) {
    const item = this.#items.get(id);
    if (!item) return false;
    if (!mayPass) return this.#items.delete(id);
    item.refusals += 1;
    item.stage = "waiting";
    const bound = Math.min(RETRY_INITIAL_MS * 2 ** Math.min(item.refusals - 1, 16), RETRY_MAXIMUM_MS);
    item.at = now + (retryAfterMs ?? bound * (0.5 + 0.5 * this.#random()));
    return false;
  }

  /** It is stored, or was taken back. @param {string} id @returns {boolean} whether it was here */
  remove(id) {
    return this.#items.delete(id);
  }
}

/**
 * Brings messages to the server: the outbox (pure), its store, the open socket or, without one for a while, HTTP.
 *
 * Promises: a message is kept in the store before it leaves, leaves in order with the same clientMessageId however often,
 * and is let go when the server has stored it, refused it for good (it is kept with its error then) or the page takes
 * it back. Without a socket for 10 s it goes by POST, same id. Of tabs that share a socket each keeps what all of them
 * wrote, and one at a time leads: it alone sends. When another takes over, what is unanswered goes out again from there;
 * the server stores it once.
 */

import { Outbox } from "./outbox.js";

/** @typedef {import("./types.js").OutboxEntry} OutboxEntry */
/** `foreign`: another tab wrote it, or an earlier page. @typedef {{entry: OutboxEntry, stored: {id: string, seq: number} | null, foreign?: boolean}} Kept */
/** What tabs tell each other: written or tried again, taken back, answered. @typedef {{entry?: OutboxEntry, discard?: string, frame?: any}} Note */
/**
 * @typedef {object} DeliveryHost
 * @property {import("./types.js").Clock} clock
 * @property {import("./http.js").Http} http
 * @property {(frame: import("./protocol.js").SendMessage) => boolean} send whether it left by the socket
 * @property {(threadId: string) => unknown} told something of a thread's own messages changed; whether anybody looks
 * @property {(note: Note) => void} share with the other tabs; an answer: with this one too
 */

const FALLBACK_AFTER_MS = 10_000;
const ASK_QUEUED_AGAIN_MS = 15_000;

export class Delivery {
  #outbox;
  #host;
  #clock;
  #fallback;
  /** @type {import("./types.js").OutboxStore | undefined} */ #store;
  /** In the order of writing. @type {Map<string, Kept>} */ #kept = new Map();
  /** @type {() => void} */ #begin = () => {};
  /** Nothing is written, nor sent, before what an earlier page left is known. @type {Promise<unknown>} */
  #writes = new Promise((resolve) => (this.#begin = () => resolve(undefined)));
  #lastAt = 0;
  /** @type {unknown} */ #timer = null;
  /** @type {unknown} */ #fallbackTimer = null;
  /** @type {"none" | "socket" | "http"} */ #channel = "none";
  /** @type {typeof import("./post.js").post | undefined} */ #postOne;
  #posting = false;
  #isClosed = false;

  /** @param {() => number} random @param {DeliveryHost} host @param {boolean} fallback whether HTTP may be used */
  constructor(random, host, fallback) {
    this.#outbox = new Outbox(random);
    this.#host = host;
    this.#clock = host.clock;
    this.#fallback = fallback;
  }

  /** What a page needs to keep messages and to post them; without it they wait in memory, for a socket. @param {import("./types.js").OutboxStore} [store] @param {typeof import("./post.js").post} [post] */
  async open(store, post) {
    if (this.#isClosed) return store?.close();
    this.#store = store;
    this.#postOne = post;
    await this.takeOver();
    this.#begin();
  }

  /** What an earlier page left, or a tab that is gone. */
  async takeOver() {
    const left = (await this.#store?.all().catch(() => [])) ?? [];
    const known = this.#kept;
    this.#kept = new Map();
    for (const entry of left) if (!known.has(entry.clientMessageId)) this.#take(entry);
    for (const [id, kept] of known) this.#kept.set(id, kept);
    this.#flush();
  }

  close() {
    this.rest();
    this.#isClosed = true;
    this.#writes.then(() => this.#store?.close());
  }

  /** Messages of a thread that the server's view may not show yet. @param {string} threadId @returns {Kept[]} */
  of(threadId) {
    return [...this.#kept.values()].filter(({ entry }) => entry.threadId === threadId);
  }

  /** How many wait to be stored. */
  get waiting() {
    return this.#outbox.size;
  }

  /** @param {OutboxEntry} written */
  add(written) {
    const at = (this.#lastAt = Math.max(written.at, this.#lastAt + 1)); // the store's order
    const entry = { ...written, at };
    this.#kept.set(entry.clientMessageId, { entry, stored: null });
    this.#host.told(entry.threadId);
    this.#keep(entry).then(() => {
      if (!this.#kept.has(entry.clientMessageId)) return;
      this.#outbox.add(entry);
      this.#flush();
      this.#host.share({ entry });
    });
  }

  /** @param {string} id */
  retry(id) {
    const kept = this.#kept.get(id);
    if (!kept?.entry.error) return;
    const { error: _, ...entry } = kept.entry;
    this.add(entry);
  }

  /** @param {string} id */
  discard(id) {
    const kept = this.#kept.get(id);
    if (!kept || kept.stored) return;
    this.shown(id);
    this.#host.share({ discard: id });
  }

  /** The view shows it now. @param {string} id */
  shown(id) {
    const kept = this.#kept.get(id);
    if (!kept) return;
    this.#outbox.remove(id);
    this.#kept.delete(id);
    this.#drop(id);
    this.#host.told(kept.entry.threadId);
    // Its answer may come after it, or never: the next one must not wait for that.
    this.#flush();
  }

  // --- other tabs ---

  /** @param {Note} note */
  noted({ entry, discard }) {
    if (discard) this.shown(discard);
    if (!entry) return;
    const known = this.#kept.get(entry.clientMessageId);
    if (known && !known.stored && !known.entry.error) return;
    this.#take(entry);
    this.#flush();
  }

  /** @param {OutboxEntry} entry */
  #take(entry) {
    this.#kept.set(entry.clientMessageId, { entry, stored: null, foreign: true });
    if (!entry.error) this.#outbox.add(entry);
    this.#host.told(entry.threadId);
  }

  /** To a leader that may not have it. */
  shareAll() {
    for (const { entry, stored } of this.#kept.values()) if (!stored && !entry.error) this.#host.share({ entry });
  }

  /** Another tab leads. */
  rest() {
    this.#channel = "none";
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#fallbackTimer);
  }

  // --- channels ---

  /** A socket is open: whatever is unanswered goes out again. */
  socketOpened() {
    this.#clock.clearTimeout(this.#fallbackTimer);
    this.#use("socket");
  }

  /** The socket is gone. */
  socketLost() {
    this.rest();
    if (this.#fallback) this.#fallbackTimer = this.#clock.setTimeout(() => this.#use("http"), FALLBACK_AFTER_MS);
  }

  /** @param {"socket" | "http"} channel */
  #use(channel) {
    this.#channel = channel;
    this.#outbox.begin();
    this.#flush();
  }

  // --- answers ---

  /** @param {import("./protocol.js").MessageAck} ack */
  acked(ack) {
    const id = ack.clientMessageId;
    const kept = this.#kept.get(id);
    if (!kept) return;
    if (ack.status === "queued") {
      this.#outbox.queued(id, this.#clock.now() + ASK_QUEUED_AGAIN_MS);
      kept.entry = { ...kept.entry, queued: true };
    } else {
      this.#outbox.remove(id);
      kept.stored = { id: ack.serverMessageId ?? "", seq: ack.seq ?? 0 };
      this.#drop(id);
    }
    const isWatched = this.#host.told(kept.entry.threadId);
    if (kept.stored && kept.foreign && !isWatched) this.#kept.delete(id);
    this.#flush();
  }

  /** @param {string} id @param {import("./errors.js").ChatError} error @returns {boolean} whether it is one of ours */
  refused(id, error) {
    const kept = this.#kept.get(id);
    if (!kept || kept.stored) return false;
    if (this.#outbox.refused(id, error.mayPass, error.retryAfterMs, this.#clock.now())) {
      kept.entry = { ...kept.entry, error: error.problem, queued: undefined };
      this.#keep(kept.entry);
    }
    this.#host.told(kept.entry.threadId);
    this.#flush();
    return true;
  }

  // --- the way out ---

  #flush() {
    this.#clock.clearTimeout(this.#timer);
    if (this.#channel === "http") void this.#post();
    if (this.#channel !== "socket") return;
    for (const entry of this.#outbox.due(this.#clock.now())) {
      if (!this.#host.send(entry.frame)) this.#outbox.putBack(entry.clientMessageId);
    }
    this.#flushLater(10);
  }

  /** @param {number} atLeastMs */
  #flushLater(atLeastMs) {
    const wait = this.#outbox.nextAt - this.#clock.now();
    if (wait < Infinity) this.#timer = this.#clock.setTimeout(() => this.#flush(), Math.max(wait, atLeastMs));
  }

  async #post() {
    const post = this.#postOne;
    if (this.#posting || !post) return;
    this.#posting = true;
    for (let due; this.#channel === "http" && (due = this.#outbox.due(this.#clock.now())).length; ) {
      for (const entry of due) this.#host.share({ frame: await post(this.#host.http, entry) });
    }
    this.#posting = false;
    if (this.#channel === "http") this.#flushLater(100);
  }

  /** In the order of writing. @param {OutboxEntry} entry @returns {Promise<unknown>} resolves whether it was kept or not */
  #keep({ queued: _, ...entry }) {
    return this.#write((store) => store.put(entry));
  }

  /** @param {string} id */
  #drop(id) {
    void this.#write((store) => store.remove(id));
  }

  /** @param {(store: import("./types.js").OutboxStore) => Promise<void>} work */
  #write(work) {
    return (this.#writes = this.#writes.then(() => this.#store && work(this.#store).catch(() => {})));
  }
}

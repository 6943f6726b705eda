/**
 * Brings messages to the server: the outbox (pure), its store, the open socket or, without one for a while, HTTP.
 *
 * Promises: a message is kept in the store before it leaves, leaves in order with the same clientMessageId however often,
 * and is let go when the server has stored it, refused it for good (it is kept with its error then) or the page takes
 * it back. Without a socket for 10 s it goes by POST, same id. Does not promise that two tabs do not send the same
 * message: the server stores it once.
 */

import { ChatError } from "./errors.js";
import { MESSAGES } from "./http.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./types.js").OutboxEntry} OutboxEntry */
/** @typedef {{entry: OutboxEntry, stored: {id: string, seq: number} | null}} Kept */

const FALLBACK_AFTER_MS = 10_000;
const ASK_QUEUED_AGAIN_MS = 15_000;

export class Delivery {
  #outbox;
  #clock;
  #http;
  #send;
  #told;
  #fallback;
  /** @type {import("./types.js").OutboxStore | null} */ #store = null;
  /** In the order of writing. @type {Map<string, Kept>} */ #kept = new Map();
  /** @type {Promise<unknown>} */ #writes = Promise.resolve();
  /** @type {unknown} */ #timer = null;
  /** @type {unknown} */ #fallbackTimer = null;
  /** @type {"none" | "socket" | "http"} */ #channel = "none";
  #posting = false;

  /**
   * @param {() => number} random @param {import("./types.js").Clock} clock @param {import("./http.js").Http} http
   * @param {(frame: import("./protocol.js").SendMessage) => boolean} send whether it left by the socket
   * @param {(threadId: string) => void} told something of a thread's own messages changed @param {boolean} fallback
   */
  constructor(random, clock, http, send, told, fallback) {
    this.#outbox = new Outbox(random);
    this.#clock = clock;
    this.#http = http;
    this.#send = send;
    this.#told = told;
    this.#fallback = fallback;
  }

  /** Take over what an earlier page left. @param {import("./types.js").OutboxStore} store */
  async open(store) {
    this.#store = store;
    for (const entry of await store.all().catch(() => [])) {
      if (this.#kept.has(entry.clientMessageId)) continue;
      this.#kept.set(entry.clientMessageId, { entry, stored: null });
      if (!entry.error) this.#outbox.add(entry);
      this.#told(entry.threadId);
    }
    // Written before the store was there.
    for (const { entry } of this.#kept.values()) this.#keep(entry);
    this.#flush();
  }

  close() {
    this.#channel = "none";
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#fallbackTimer);
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

  /** @param {OutboxEntry} entry */
  add(entry) {
    this.#kept.set(entry.clientMessageId, { entry, stored: null });
    this.#told(entry.threadId);
    this.#keep(entry).then(() => {
      if (!this.#kept.has(entry.clientMessageId)) return;
      this.#outbox.add(entry);
      this.#flush();
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
    this.#outbox.remove(id);
    this.#forget(kept.entry);
    this.#flush();
  }

  /** The view shows it now. @param {string} id */
  shown(id) {
    const kept = this.#kept.get(id);
    if (!kept) return;
    this.#outbox.remove(id);
    this.#forget(kept.entry);
    // Its answer may come after it, or never: the next one must not wait for that.
    this.#flush();
  }

  // --- channels ---

  /** A socket is open: whatever is unanswered goes out again. */
  socketOpened() {
    this.#clock.clearTimeout(this.#fallbackTimer);
    this.#channel = "socket";
    this.#outbox.begin();
    this.#flush();
  }

  /** The socket is gone. */
  socketLost() {
    this.#channel = "none";
    this.#clock.clearTimeout(this.#timer);
    if (!this.#fallback) return;
    this.#clock.clearTimeout(this.#fallbackTimer);
    this.#fallbackTimer = this.#clock.setTimeout(() => {
      this.#channel = "http";
      this.#outbox.begin();
      this.#flush();
    }, FALLBACK_AFTER_MS);
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
    this.#told(kept.entry.threadId);
    this.#flush();
  }

  /** @param {string} id @param {ChatError} error @returns {boolean} whether it is one of ours */
  refused(id, error) {
    const kept = this.#kept.get(id);
    if (!kept || kept.stored) return false;
    if (this.#outbox.refused(id, error.retryable, error.retryAfterMs, this.#clock.now())) {
      kept.entry = { ...kept.entry, error: error.problem, queued: undefined };
      this.#keep(kept.entry);
    }
    this.#told(kept.entry.threadId);
    this.#flush();
    return true;
  }

  // --- the way out ---

  #flush() {
    this.#clock.clearTimeout(this.#timer);
    if (this.#channel === "http") void this.#post();
    if (this.#channel !== "socket") return;
    for (const entry of this.#outbox.due(this.#clock.now())) {
      if (!this.#send(entry.frame)) this.#outbox.putBack(entry.clientMessageId);
    }
    const wait = this.#outbox.nextAt - this.#clock.now();
    if (wait < Infinity) this.#timer = this.#clock.setTimeout(() => this.#flush(), Math.max(wait, 10));
  }

  async #post() {
    if (this.#posting) return;
    this.#posting = true;
    for (let due; this.#channel === "http" && (due = this.#outbox.due(this.#clock.now())).length; ) {
      for (const entry of due) await this.#postOne(entry);
    }
    this.#posting = false;
    const wait = this.#outbox.nextAt - this.#clock.now();
    if (this.#channel === "http" && wait < Infinity) {
      this.#timer = this.#clock.setTimeout(() => this.#flush(), Math.max(wait, 100));
    }
  }

  /** @param {OutboxEntry} entry */
  async #postOne({ clientMessageId, threadId, frame }) {
    const { type: _, ...body } = frame;
    try {
      const answer = await this.#http.call("POST", MESSAGES, { body });
      const status = answer?.seq ? "sent" : "queued";
      this.acked({ type: "message_ack", clientMessageId, threadId, status, serverMessageId: answer?.id, seq: answer?.seq });
    } catch (error) {
      const problem = error instanceof ChatError ? error : new ChatError("NETWORK", "no answer", { retryable: true });
      this.refused(clientMessageId, problem);
    }
  }

  /** In the order of writing. @param {OutboxEntry} entry @returns {Promise<unknown>} resolves whether it was kept or not */
  #keep({ queued: _, ...entry }) {
    const kept = () => this.#store?.put(entry).catch(() => {});
    return (this.#writes = this.#writes.then(kept));
  }

  /** @param {string} id */
  #drop(id) {
    this.#writes = this.#writes.then(() => this.#store?.remove(id).catch(() => {}));
  }

  /** @param {OutboxEntry} entry */
  #forget({ clientMessageId, threadId }) {
    this.#kept.delete(clientMessageId);
    this.#drop(clientMessageId);
    this.#told(threadId);
  }
}

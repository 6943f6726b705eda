/**
 * How far this user has read, as long as the server may not know. Pure.
 *
 * Promises: marks only move forward, so any number of them cost one entry a thread; what was marked while offline, or
 * was lost with a connection, is told again on the next one, until the server's own receipt confirms it.
 */

/** @typedef {{read: number, delivered: number}} Mark */
/** @typedef {import("./protocol.js").SendRead | import("./protocol.js").SendDelivered} Receipt */

const THREADS_MAX = 1_000;

export class Receipts {
  /** @type {Map<string, Mark>} */ #marks = new Map();
  /** @type {Set<string>} */ #untold = new Set();

  /** Everything up to these was read, or has arrived. @param {string} threadId @param {Mark} to @returns {boolean} whether that is new */
  mark(threadId, to) {
    const known = this.#marks.get(threadId) ?? { read: 0, delivered: 0 };
    if (known.read >= to.read && known.delivered >= to.delivered) return false;
    this.#marks.set(threadId, { read: Math.max(known.read, to.read), delivered: Math.max(known.delivered, to.delivered) });
    this.#untold.add(threadId);
    if (this.#marks.size > THREADS_MAX) this.forget(/** @type {string} */ (this.#marks.keys().next().value));
    return true;
  }

  /** The server's cursors are here. @param {string} threadId @param {number} read @param {number} delivered */
  confirmed(threadId, read, delivered) {
    const mark = this.#marks.get(threadId);
    if (mark && mark.read <= read && mark.delivered <= delivered) this.forget(threadId);
  }

  /** The user marked something as unread: an older "read" must not be told after it. @param {string} threadId */
  forget(threadId) {
    this.#marks.delete(threadId);
    this.#untold.delete(threadId);
  }

  /** A new connection: what was told on the old one may be lost. */
  tellAgain() {
    this.#untold = new Set(this.#marks.keys());
  }

  /** What to tell the server now; it counts as told from here on. @returns {Receipt[]} */
  untold() {
    /** @type {Receipt[]} */
    const frames = [];
    for (const threadId of this.#untold) {
      const { read, delivered } = /** @type {Mark} */ (this.#marks.get(threadId));
      if (read) frames.push({ type: "read_receipt", threadId, seq: read });
      if (delivered > read) frames.push({ type: "delivered_receipt", threadId, seq: delivered });
    }
    this.#untold.clear();
    return frames;
  }
}

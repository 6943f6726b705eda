/**
 * Who is writing where, and when to say that we are. Pure: time is an argument.
 *
 * Promises: somebody is shown as writing from a notice on until `expiresInMs` after the last one, the notice that they
 * stopped, or their message, whichever comes first. One's own writing is said at most every 2 s, its end once.
 */

const SAY_EVERY_MS = 2_000;
/** Of one thread; more than a line can name. */
const WRITERS_MAX = 200;

export class TypingView {
  /** Ends by thread, then user. @type {Map<string, Map<string, number>>} */ #ends = new Map();

  /** @param {string} threadId @returns {string[]} */
  writers(threadId) {
    return [...(this.#ends.get(threadId)?.keys() ?? [])];
  }

  /** When `expire` has something to do; Infinity: never. */
  get nextEnd() {
    return Math.min(...[...this.#ends.values()].flatMap((writers) => [...writers.values()]));
  }

  /** @param {import("./protocol.js").TypingNotice} notice @param {number} now @returns {boolean} whether that changes who is writing */
  receive({ threadId, userId, isTyping, expiresInMs = 3_000 }, now) {
    if (!isTyping) return this.said(threadId, userId);
    const writers = this.#ends.get(threadId) ?? new Map();
    const isNew = !writers.has(userId);
    if (isNew && writers.size >= WRITERS_MAX) return false;
    this.#ends.set(threadId, writers.set(userId, now + expiresInMs));
    return isNew;
  }

  /** A message came, or the end of it. @param {string} threadId @param {string} userId @returns {boolean} */
  said(threadId, userId) {
    const writers = this.#ends.get(threadId);
    if (!writers?.delete(userId)) return false;
    if (!writers.size) this.#ends.delete(threadId);
    return true;
  }

  /** Forget whose time is over. @param {number} now @returns {Set<string>} the threads in which somebody was */
  expire(now) {
    const threads = new Set();
    for (const [threadId, writers] of [...this.#ends]) {
      for (const [userId, end] of [...writers]) {
        if (end <= now && this.said(threadId, userId)) threads.add(threadId);
      }
    }
    return threads;
  }

  /** Forget all. @returns {Set<string>} the threads in which somebody was */
  clear() {
    return this.expire(Infinity);
  }
}

/** Own writing in one thread. */
export class TypingTeller {
  #saidAt = -Infinity;
  #isSaid = false;

  /** @param {boolean} isTyping @param {number} now @returns {boolean} whether to say it now */
  say(isTyping, now) {
    const told = isTyping ? now - this.#saidAt >= SAY_EVERY_MS : this.#isSaid;
    if (told) this.#saidAt = isTyping ? now : -Infinity;
    this.#isSaid = isTyping && (told || this.#isSaid);
    return told;
  }

  /** A message was sent, which ends it for the others, or the connection was lost. */
  over() {
    this.#isSaid = false;
    this.#saidAt = -Infinity;
  }
}

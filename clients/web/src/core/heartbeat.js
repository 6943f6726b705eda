/**
 * When to give a sign of life, and when to give up on the other side. Pure: time is an argument.
 *
 * Promises: a ping is due every interval; the link is dead when nothing at all was heard for half an interval after a
 * ping that followed a silent interval, which makes 1.5. While an answer is awaited, a ping is due after DOUBT_MS without
 * a sound, and the link is dead PATIENCE_MS after it; anything heard is a sign of life, so an answer that is late behind
 * the gateway kills nothing. A page whose timers slept (a hidden tab, a closed lid) asks first and gives up later: silence
 * counts only after a ping.
 */

const DOUBT_MS = 3_000;
const PATIENCE_MS = 5_000;

export class Heartbeat {
  #intervalMs;
  #patienceMs;
  #heardAt;
  #pingedAt;
  /** When the oldest ping that nothing was heard after went out. @type {number | null} */ #unansweredSince = null;

  /** @type {number | null} */ #awaitingSince = null;

  /** @param {number} intervalMs the server's @param {number} now */
  constructor(intervalMs, now) {
    this.#intervalMs = intervalMs;
    this.#patienceMs = intervalMs / 2;
    this.#heardAt = now;
    this.#pingedAt = now - intervalMs; // the first one at once: it measures the way
  }

  /** Something arrived. @param {number} now */
  heard(now) {
    this.#heardAt = now;
    this.#unansweredSince = null;
    this.#patienceMs = this.#intervalMs / 2;
  }

  /** A ping was written. @param {number} now */
  pinged(now) {
    this.#pingedAt = now;
    this.#unansweredSince ??= now;
  }

  /** Whether somebody waits for an answer from here on. @param {boolean} anAnswer @param {number} now */
  awaits(anAnswer, now) {
    this.#awaitingSince = anAnswer ? (this.#awaitingSince ?? now) : null;
  }

  /** The page came back to life: ask now, and do not wait long. @param {number} patienceMs @param {number} now */
  probe(patienceMs, now) {
    this.#pingedAt = now - this.#intervalMs;
    this.#unansweredSince = null;
    this.#patienceMs = Math.min(this.#patienceMs, patienceMs);
  }

  /** @param {number} now @returns {"ping" | "dead" | null} */
  due(now) {
    if (now >= this.#deadAt) return "dead";
    return now >= this.#pingAt ? "ping" : null;
  }

  /** The earliest time at which something may be due. */
  get nextAt() {
    return Math.min(this.#deadAt, this.#pingAt);
  }

  get #deadAt() {
    if (this.#unansweredSince === null) return Infinity;
    const idle = this.#unansweredSince + this.#patienceMs;
    if (this.#awaitingSince === null) return idle;
    return Math.min(idle, Math.max(this.#unansweredSince, this.#awaitingSince) + PATIENCE_MS);
  }

  get #pingAt() {
    const idle = this.#pingedAt + this.#intervalMs;
    if (this.#awaitingSince === null || this.#unansweredSince !== null) return idle;
    return Math.min(idle, Math.max(this.#heardAt, this.#awaitingSince) + DOUBT_MS);
  }
}

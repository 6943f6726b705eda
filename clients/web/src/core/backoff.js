/**
 * Whether and when to come back after a connection was lost. Pure: time and chance are arguments.
 *
 * Promises: delays are drawn from 0 to 1, 2, 4, 8, 16, 30 s (full jitter), so that thousands who lost the same gateway
 * do not return in step; a gateway's `reconnect {afterMs}` is honoured and never counts as a failure; a close code of
 * the class "do not reconnect" ends the client, save that an expired token is renewed once.
 * Source of full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */

/** @typedef {{again: true, delayMs: number, freshToken: boolean} | {again: false, code: number}} Decision */

const INITIAL_MS = 1_000;
const MAXIMUM_MS = 30_000;
/** A connection that lived this long was a good one: the delays begin anew. */
const STABLE_AFTER_MS = 10_000;
const TOKEN_EXPIRED = 4502;
/** Standard codes that say: the same again ends the same way. */
const FINAL = new Set([1000, 1002, 1003, 1007, 1009]);

/** @param {number | null} code null: no close frame came */
export const comesBack = (code) => code === null || !(FINAL.has(code) || (code >= 4500 && code < 5000));

export class Backoff {
  #random;
  #canRenew;
  #renewed = false;
  #exponent = 0;
  /** @type {number | null} */ #openedAt = null;
  /** @type {number | null} */ #notBefore = null;
  /** Attempts that failed since the last connection. */
  failures = 0;

  /** @param {() => number} random in [0, 1) @param {boolean} canRenew whether a new token can be had */
  constructor(random, canRenew) {
    this.#random = random;
    this.#canRenew = canRenew;
  }

  /** The server accepted our auth. @param {number} now */
  opened(now) {
    this.#openedAt = now;
    this.#renewed = false;
    this.failures = 0;
  }

  /** A `reconnect` frame came. @param {number} afterMs @param {number} now */
  toldToReturn(afterMs, now) {
    this.#notBefore = now + afterMs;
  }

  /** The connection ended with this code, or was never made (null). @param {number | null} code @param {number} now @returns {Decision} */
  lost(code, now) {
    const [openedAt, notBefore] = [this.#openedAt, this.#notBefore];
    this.#openedAt = this.#notBefore = null;
    this.failures += 1;
    if (openedAt !== null && now - openedAt >= STABLE_AFTER_MS) this.#exponent = 0;
    if (code === TOKEN_EXPIRED && this.#canRenew && !this.#renewed) {
      this.#renewed = true;
      // Nothing is wrong with the network or the server, so however long it was away before does not count.
      return { again: true, delayMs: INITIAL_MS * this.#random(), freshToken: true };
    }
    if (notBefore !== null) return { again: true, delayMs: Math.max(0, notBefore - now), freshToken: false };
    if (!comesBack(code)) return { again: false, code: code ?? 0 };
    return { again: true, delayMs: this.#nextDelay(), freshToken: false };
  }

  #nextDelay() {
    const bound = Math.min(INITIAL_MS * 2 ** this.#exponent, MAXIMUM_MS);
    this.#exponent = Math.min(this.#exponent + 1, 16);
    return bound * this.#random();
  }
}

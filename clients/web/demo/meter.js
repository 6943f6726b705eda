/**
 * Times of the last sends: from writing a `message` frame to its `message_ack sent`. Pure.
 *
 * Promises: measures what was both written and answered on one connection; a message sent again counts from its last frame.
 */

const KEPT = 20;
const WAITING_MAX = 200;

export class Meter {
  /** @type {Map<string, number>} */ #written = new Map();
  /** @type {number[]} */ #times = [];

  /** @param {any} frame @param {number} now */
  wrote(frame, now) {
    if (frame.type !== "message" || !frame.clientMessageId) return;
    this.#written.set(frame.clientMessageId, now);
    if (this.#written.size > WAITING_MAX) this.#written.delete(/** @type {string} */ (this.#written.keys().next().value));
  }

  /** @param {any} frame @param {number} now @returns {boolean} whether there is a new time */
  heard(frame, now) {
    if (frame.type !== "message_ack" || frame.status !== "sent") return false;
    const written = this.#written.get(frame.clientMessageId);
    if (written === undefined) return false;
    this.#written.delete(frame.clientMessageId);
    this.#times = [...this.#times, now - written].slice(-KEPT);
    return true;
  }

  /** The connection is gone, and the answers with it. */
  lost() {
    this.#written.clear();
  }

  get last() {
    return this.#times.at(-1) ?? null;
  }

  get median() {
    const sorted = [...this.#times].sort((one, other) => one - other);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }
}

/**
 * Tells the server how far this user has read, and what has arrived: a moment later, what came meanwhile with it.
 *
 * Promises: read is what a person sees (the page is visible and the thread shown) or the page says; without
 * `autoReceipts` nothing is marked by itself.
 */

import { Receipts } from "./receipts.js";
import { isVisible } from "./visibility.js";

const PAUSE_MS = 250;

export class ReceiptTeller extends Receipts {
  #clock;
  #send;
  #auto;
  /** @type {unknown} */ #timer = null;

  /** @param {import("./types.js").Clock} clock @param {(frame: any) => boolean} send @param {boolean} auto */
  constructor(clock, send, auto) {
    super();
    this.#clock = clock;
    this.#send = send;
    this.#auto = auto;
  }

  /** What has arrived, and what a person sees. @param {import("./thread.js").Thread} thread */
  noteShown(thread) {
    if (!this.#auto || !thread.openings || !thread.lastSeq || !thread.timeline.started) return;
    if (thread.shown && isVisible()) {
      if (thread.readSeq < thread.lastSeq) thread.markRead();
    } else {
      this.markSoon(thread.id, 0, thread.lastSeq);
    }
  }

  /** @param {string} threadId @param {number} read @param {number} delivered */
  markSoon(threadId, read, delivered) {
    if (this.mark(threadId, { read, delivered })) this.#timer ??= this.#clock.setTimeout(() => this.tell(), PAUSE_MS);
  }

  /** A new connection. */
  connected() {
    this.tellAgain();
    this.tell();
  }

  /** What is lost now is told again on the next connection. */
  tell() {
    this.stop();
    for (const frame of this.untold()) this.#send(frame);
  }

  stop() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/**
 * Who is writing where, shown as long as it is true: TypingView with a timer.
 *
 * Promises: each change is told; whoever's time is over is forgotten without a frame that says so, and all of them with
 * the connection.
 */

import { TypingView } from "./typing.js";

export class Writers extends TypingView {
  #clock;
  #changed;
  /** @type {unknown} */ #timer = null;

  /** @param {import("./types.js").Clock} clock @param {(threadId: string) => void} changed */
  constructor(clock, changed) {
    super();
    this.#clock = clock;
    this.#changed = changed;
  }

  /** @param {import("./protocol.js").TypingNotice} notice */
  noted(notice) {
    if (this.receive(notice, this.#clock.now())) this.#changed(notice.threadId);
    this.#forget(this.#clock.now());
  }

  /** Of all: the connection is gone. */
  lost() {
    this.#forget(Infinity);
  }

  /** @param {number} now */
  #forget(now) {
    this.#clock.clearTimeout(this.#timer);
    for (const threadId of this.expire(now)) this.#changed(threadId);
    const wait = this.nextEnd - now;
    if (wait < Infinity) this.#timer = this.#clock.setTimeout(() => this.#forget(this.#clock.now()), Math.max(wait, 10));
  }
}

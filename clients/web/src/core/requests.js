/**
 * Questions to the server that wait for their answer, by ref.
 *
 * Promises: each ends once: answered, refused, with the connection, or after 15 s.
 */

import { ChatError } from "./errors.js";

const ANSWER_MS = 15_000;

export class Requests {
  #clock;
  #refs = 0;
  /** @type {Map<string, (error?: ChatError) => void>} */ #waiting = new Map();

  /** @param {import("./types.js").Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @param {Record<string, any>} frame @param {(frame: any) => boolean} send @returns {Promise<void>} rejects with ChatError */
  ask(frame, send) {
    const ref = `r${(this.#refs += 1)}`;
    return new Promise((resolve, reject) => {
      const late = new ChatError("TIMEOUT", "no answer", { retryable: true, fate: "unknown" });
      const timer = this.#clock.setTimeout(() => done(late), ANSWER_MS);
      const done = (/** @type {ChatError | undefined} */ error) => {
        this.#clock.clearTimeout(timer);
        this.#waiting.delete(ref);
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.set(ref, done);
      if (!send({ ...frame, ref })) done(new ChatError("NETWORK", "no connection", { retryable: true }));
    });
  }

  /** @param {string | null | undefined} ref @param {ChatError} [error] @returns {boolean} whether it was one of ours */
  answered(ref, error) {
    const done = this.#waiting.get(ref ?? "");
    done?.(error);
    return !!done;
  }

  /** No answer comes any more. @param {ChatError} error */
  end(error) {
    for (const done of this.#waiting.values()) done(error);
  }
}

/**
 * What was asked on one connection and is not answered yet. Pure.
 *
 * Promises: `open` while an answer is awaited, from the frame that asks to the one that names it; `queued` is no answer
 * yet, and a message that is told as stored is one. What nothing answers by name (typing, receipts) is no question.
 */

export class Questions {
  /** By ref, or clientMessageId: asked again it is the same. @type {Set<string>} */ #open = new Set();

  get open() {
    return this.#open.size > 0;
  }

  /** @param {any} frame that was sent */
  asked({ ref, clientMessageId }) {
    const name = ref ?? clientMessageId;
    if (name) this.#open.add(name);
  }

  /** @param {any} frame that came */
  answered({ ref, clientMessageId, status, data }) {
    if (status === "queued") return;
    for (const name of [ref, clientMessageId, data?.clientMessageId]) this.#open.delete(name);
  }
}

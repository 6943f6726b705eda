/**
 * What replies quote. Pure.
 *
 * A quote comes with a page of history and not with live events, and the quoted message may change afterwards. Promises:
 * a state is kept without its quote and shown with a true one, made of the quoted message's newest state where that is
 * known; what was deleted or edited away is not shown again by an older page. The same state is shown as the same object
 * until its quote changes.
 */

/** @typedef {import("./protocol.js").MessageState} MessageState */
/** @typedef {import("./protocol.js").Quote} Quote */

/** As much as the server quotes. */
const QUOTE_MAX_CHARS = 200;

/** @param {MessageState} state @returns {Quote} */
export function quoteOf({ id, senderId, content, deleted }) {
  return { id, senderId, content: [...content.slice(0, 2 * QUOTE_MAX_CHARS)].slice(0, QUOTE_MAX_CHARS).join(""), deleted };
}

/** The number of a message, by its id. @param {string} messageId */
export const seqOf = (messageId) => Number(messageId.slice(messageId.lastIndexOf("~") + 1)) || 0;

export class Quotes {
  /** By the seq of the quoted message. @type {Map<number, Quote>} */ #quotes = new Map();
  /** Made of the message itself; no page of history knows better. @type {Set<number>} */ #true = new Set();
  /** @type {WeakMap<MessageState, {of: Quote | MessageState, shown: MessageState}>} */ #shown = new WeakMap();

  /** The state without its quote, which is kept here. @param {MessageState} state @returns {MessageState} */
  takenFrom(state) {
    if (!state.replyTo) return state;
    const seq = seqOf(state.replyTo.id);
    if (!this.#true.has(seq)) this.#quotes.set(seq, state.replyTo);
    return { ...state, replyTo: null };
  }

  /** A message is like this now. @param {MessageState} state */
  changed(state) {
    if (!this.#quotes.has(state.seq)) return;
    this.#true.add(state.seq);
    this.#quotes.set(state.seq, quoteOf(state));
  }

  /** The state as the server's history shows it. @param {MessageState} state @param {Map<number, MessageState>} known @returns {MessageState} */
  givenTo(state, known) {
    if (!state.replyToId) return state;
    const seq = seqOf(state.replyToId);
    const target = known.get(seq);
    const of = target ?? this.#quotes.get(seq);
    if (!of) return state;
    let kept = this.#shown.get(state);
    if (kept?.of !== of) {
      kept = { of, shown: { ...state, replyTo: target ? quoteOf(target) : /** @type {Quote} */ (of) } };
      this.#shown.set(state, kept);
    }
    return kept.shown;
  }
}

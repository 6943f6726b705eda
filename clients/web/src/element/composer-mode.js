/**
 * What is being written is an answer to a message, or a message's new text.
 *
 * Promises that what was being written before an edit is there again after it, and that a text is not lost when an edit
 * fails.
 */

import { button, h } from "./dom.js";
import { CLOSE } from "./icons-acts.js";
import { dress } from "./sheet.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

const STYLE = `
.mode{display:flex;gap:8px;align-items:center;padding:0 4px 6px}
.mode .quote{flex:1;min-inline-size:0;margin:0}
`;

export class ComposerMode {
  #ui;
  #composer;
  #message;
  /** What was being written before an edit; null: this is an answer. @type {string | null} */ kept;
  node;

  /** @param {ThreadElement} ui @param {Message} message @param {boolean} edits it, or answers it */
  constructor(ui, message, edits) {
    const { words } = ui;
    this.#ui = ui;
    this.#message = message;
    this.#composer = /** @type {import("./composer.js").Composer} */ (ui.composer);
    this.#composer.mode?.leave();
    dress(ui.box.getRootNode(), STYLE);
    this.kept = edits ? this.#composer.text : null;
    this.node = h("div", { class: "mode" },
      h("div", { class: "quote" },
        h("bdi", { class: "name" }, edits ? words.editing : words.replyingTo(ui.nameOrYou(message.senderId))),
        h("span", { class: "said", dir: "auto" }, message.content || words.file)),
      button(words.cancel, () => this.leave(), { icon: CLOSE }));
    this.#composer.mode = this;
    if (edits) this.#composer.text = message.content;
    this.#composer.focus();
  }

  get edits() {
    return this.kept !== null;
  }

  get replyToId() {
    return this.edits ? undefined : this.#message.id;
  }

  leave() {
    this.#composer.mode = null;
    if (this.kept !== null) this.#composer.text = this.kept;
    this.#composer.focus();
  }

  /** The new text. @param {string} content */
  async submit(content) {
    const failed = Symbol("failed");
    const { id, content: before } = this.#message;
    const answer = content === before || (await this.#ui.attempt(this.#ui.thread?.edit(id, content), failed));
    if (answer !== failed && this.#composer.mode === this) this.leave();
  }
}

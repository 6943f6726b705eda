/**
 * What can be done with a message: one toolbar, which is with the message that is pointed at or has the focus.
 *
 * Promises that it offers only what the server would do, and that deleting takes two presses.
 */

import { button, h } from "./dom.js";
import { reactionPicker } from "./reactions.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

export class MessageToolbar {
  #ui;
  #bar;
  /** @type {HTMLElement | null} */ #at = null;
  /** @type {HTMLElement | null} */ #picker = null;

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
    this.#bar = h("div", { class: "bar", role: "group", "aria-label": ui.words.actions });
  }

  /** @param {HTMLElement | null} row @param {Message} [message] */
  attach(row, message) {
    if (row === this.#at) return;
    const hadFocus = this.#bar.matches(":focus-within") || this.#picker?.matches(":focus-within");
    if (hadFocus && !row?.matches(":focus-within")) return;
    this.#closePicker();
    this.#at = row;
    this.#bar.remove();
    if (!row || !message || message.pending || message.deleted || message.messageType === "system" || this.#ui.readOnly) return;
    this.#fill(row, message);
    row.append(this.#bar);
  }

  /** After a message was drawn again. @param {HTMLElement} row @param {Message} message */
  renew(row, message) {
    if (row !== this.#at || this.#bar.matches(":focus-within")) return;
    this.#at = null;
    this.attach(row, message);
  }

  /** @param {HTMLElement} row @param {Message} message */
  #fill(row, message) {
    const ui = this.#ui;
    const { words } = ui;
    const own = message.senderId === ui.me;
    const remove = button(words.remove, () => {
      if (remove.classList.contains("sure")) ui.attempt(ui.thread?.delete(message.id));
      else {
        remove.classList.add("sure");
        remove.textContent = words.removeSurely;
        remove.removeAttribute("aria-label");
      }
    }, { icon: "remove" });
    this.#bar.replaceChildren(
      button(words.react, () => this.#pick(row, message), { icon: "react" }),
      button(words.reply, () => ui.composer?.reply(message), { icon: "reply" }),
      ...(own ? [button(words.edit, () => ui.composer?.edit(message), { icon: "edit" })] : []),
      ...(own || ui.ownRole === "owner" ? [remove] : []),
    );
  }

  /** @param {HTMLElement} row @param {Message} message */
  #pick(row, message) {
    const close = () => {
      this.#closePicker();
      row.focus();
    };
    this.#picker = reactionPicker(this.#ui, message, close);
    row.append(this.#picker);
    this.#picker.scrollIntoView({ block: "nearest" });
    this.#picker.querySelector("button")?.focus();
  }

  #closePicker() {
    this.#picker?.remove();
    this.#picker = null;
  }
}

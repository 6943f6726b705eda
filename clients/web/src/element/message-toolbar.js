/**
 * What can be done with a message: one toolbar, which is with the message that is pointed at or has the focus.
 *
 * Promises that it offers only what the server would do, and that deleting takes two presses.
 */

import { ComposerMode } from "./composer-mode.js";
import { button, h } from "./dom.js";
import { EDIT, REACT, REMOVE, REPLY } from "./icons-acts.js";
import { reactionPicker } from "./reaction-picker.js";
import { dress } from "./sheet.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

const STYLE = `
.bar,.picker{background:var(--_ground);border:1px solid var(--_line);box-shadow:0 4px 16px #0002;z-index:2}
.bar{flex:none;position:absolute;inset-block-start:-18px;inset-inline-end:0;display:flex;border-radius:22px;padding:1px}
.own .bar{inset-inline:0 auto}
.bar button{inline-size:32px;block-size:32px}
.bar .icon.sure{inline-size:auto;padding-inline:10px;border-radius:16px;font-size:13px;font-weight:600;color:var(--_danger);white-space:nowrap}
.turn:dir(rtl){transform:scaleX(-1)}
.message:has(.picker){flex-direction:column}
.picker~.bar,.bar:has(~.picker){display:none}
.own:has(.picker){align-items:flex-end}
.picker{display:flex;flex-wrap:wrap;gap:2px;padding:6px;border-radius:18px;max-inline-size:min(100%,24rem)}
.many:not(.own) .picker{margin-inline-start:40px}
.emoji{inline-size:36px;block-size:36px;font-size:20px;border-radius:10px;text-align:center}
.emoji:hover{background:var(--_soft)}
.picker input{flex:1;min-inline-size:8em;padding:4px 12px;border-radius:10px;background:var(--_soft);font-size:14px}
@container(min-width:640px){.message .bar{position:static;align-self:center}.own .bar{order:-1}.bar:not(:hover,:focus-within){box-shadow:none}}
@media(hover:none){.bar button{inline-size:40px;block-size:40px}}
`;

export class MessageToolbar {
  #ui;
  #bar;
  /** @type {HTMLElement | null} */ #at = null;
  /** @type {HTMLElement | null} */ #picker = null;

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
    this.#bar = h("div", { class: "bar", role: "group", "aria-label": ui.words.actions });
    dress(ui.box.getRootNode(), STYLE);
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
    }, { icon: REMOVE });
    this.#bar.replaceChildren(
      button(words.react, () => this.#pick(row, message), { icon: REACT }),
      button(words.reply, () => new ComposerMode(ui, message, false), { icon: REPLY, class: "icon turn" }),
      ...(own ? [button(words.edit, () => new ComposerMode(ui, message, true), { icon: EDIT })] : []),
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

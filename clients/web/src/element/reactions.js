/**
 * Reactions under a message: chips with counts, which are switches for one's own, and a picker.
 *
 * Promises that each can be used by keyboard, and that who reacted is said, not only counted.
 */

import { button, h } from "./dom.js";
import { COMMON } from "./emoji.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

/** @param {ThreadElement} ui @param {Message} message */
export function reactionChips(ui, message) {
  const chips = message.reactions.map(({ emoji, count, userIds }) => {
    const own = userIds.includes(ui.me);
    const who = ui.words.reaction(emoji, userIds.map((id) => ui.nameOrYou(id)));
    return h("button", {
      type: "button", class: "chip", "data-f": `r${emoji}`, title: who, "aria-label": `${who}, ${count}`,
      "aria-pressed": String(own), disabled: ui.readOnly, onclick: () => ui.react(message, emoji, !own),
    }, emoji, h("b", {}, String(count)));
  });
  return chips.length ? h("div", { class: "chips" }, ...chips) : null;
}

/** @param {ThreadElement} ui @param {Message} message @param {() => void} close */
export function reactionPicker(ui, message, close) {
  /** @param {string} emoji */
  const pick = (emoji) => {
    close();
    if (emoji) ui.react(message, emoji, true);
  };
  const other = h("input", { "aria-label": ui.words.otherEmoji, placeholder: ui.words.otherEmoji, maxlength: 32, size: 12 });
  return h("div", {
    class: "picker", role: "group", "aria-label": ui.words.react,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && event.target === other && !event.isComposing) pick(other.value.trim());
    },
  }, ...COMMON.map((emoji) => button(emoji, () => pick(emoji), { class: "emoji" })), other);
}

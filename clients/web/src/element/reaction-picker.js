/** The emoji to react with: the common ones, and a field for any other. The server has the last word on what is one. */

import { button, h } from "./dom.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

const COMMON = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀"];

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

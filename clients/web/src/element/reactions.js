/**
 * Reactions under a message: chips with counts, which are switches for one's own.
 *
 * Promises that each can be used by keyboard, and that who reacted is said, not only counted.
 */

import { h } from "./dom.js";

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

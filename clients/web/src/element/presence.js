/** Presence as a dot and as words. */

import { h } from "./dom.js";

/** @typedef {import("../core/types.js").Presence} Presence */
/** @typedef {import("./chat-element.js").ChatElement} ChatElement */

/** @param {ChatElement} ui @param {Presence | undefined} presence */
export function presenceWords({ words, calendar }, presence) {
  if (!presence) return "";
  if (presence.status === "offline" && presence.lastSeenAt) return words.lastSeen(calendar.ago(presence.lastSeenAt));
  return words[presence.status];
}

/** @param {ChatElement} ui @param {Presence | undefined} presence */
export function presenceDot(ui, presence) {
  return h("span", {
    class: `dot ${presence?.status ?? "offline"}`,
    role: "img",
    "aria-label": presenceWords(ui, presence) || ui.words.offline,
  });
}

/** The members of a thread but oneself. @param {Iterable<{userId: string}>} members @param {string} me */
export const others = (members, me) => [...members].map(({ userId }) => userId).filter((id) => id !== me);

/** What a thread is called. @param {ChatElement} ui @param {string | null} title @param {string[]} ids the others @param {string} fallback */
export const threadTitle = (ui, title, ids, fallback) =>
  title || ids.slice(0, 3).map((id) => ui.name(id)).join(", ") || fallback;

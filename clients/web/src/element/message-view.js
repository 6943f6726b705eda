/**
 * One row of the list: a message, a day, or the unread divider.
 *
 * Promises that what people wrote, their names and their files' names are text nodes; that a row which is drawn again
 * keeps its node, its pictures and the focus in it; and that colour never says anything alone.
 */

import { avatar } from "./avatar.js";
import { button, h, unseen } from "./dom.js";
import { emojiCount } from "./emoji.js";
import { TICKS, icon } from "./icons.js";
import { linkified } from "./linkify.js";
import { reactionChips } from "./reactions.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

/** @param {ThreadElement} ui @param {HTMLElement} node @param {Row} row */
export function drawRow(ui, node, row) {
  if (row.message) return drawMessage(ui, node, row.message, row);
  node.className = row.day ? "day" : "unread";
  node.replaceChildren(h("span", {}, row.day ? ui.calendar.day(row.day) : ui.words.unread));
}

/** Whether a row looks the same. @param {Row} one @param {Row} other */
export const looksSame = (one, other) => one.message === other.message && one.first === other.first && one.last === other.last;

/** @param {ThreadElement} ui @param {HTMLElement} node @param {Message} message @param {Row} row */
function drawMessage(ui, node, message, { first, last }) {
  const own = message.senderId === ui.me;
  const system = message.messageType === "system";
  const emoji = message.attachments.length || message.replyToId || message.deleted ? 0 : emojiCount(message.content);
  const classes = {
    message: true, own, first, last, system, many: ui.many, failed: message.status === "failed", deleted: message.deleted,
    big: emoji > 0 && emoji < 4, mention: !own && message.mentions.includes(ui.me),
  };
  node.className = Object.entries(classes).filter(([, on]) => on).map(([name]) => name).join(" ");
  node.setAttribute("part", node.className);
  const name = ui.nameOrYou(message.senderId);
  const named = first && !own && ui.many && !system;
  const focus = /** @type {HTMLElement | null} */ (node.querySelector("[data-f]:focus"))?.dataset.f;
  const files = node.querySelector(".files");
  const body = h("div", { class: "body" },
    named ? h("bdi", { class: "name" }, name) : unseen(`${name}: `),
    h("div", { class: "bubble" },
      quote(ui, message),
      message.attachments.length > 0 &&
        (files?.childElementCount === message.attachments.length ? files : ui.files(message.attachments)),
      h("p", { class: "text", dir: "auto" },
        ...(message.deleted ? [ui.words.deleted] : linkified(message.content)), foot(ui, message, own))),
    reactionChips(ui, message),
    message.status === "failed" && failure(ui, message));
  const old = node.querySelector(".body");
  if (old) old.replaceWith(body);
  else node.prepend(body);
  node.querySelector(".avatar")?.remove();
  if (named) node.prepend(avatar(message.senderId, name));
  if (focus) {
    const again = [...node.querySelectorAll("[data-f]")].find((other) => /** @type {HTMLElement} */ (other).dataset.f === focus);
    /** @type {HTMLElement} */ (again ?? node).focus({ preventScroll: true });
  }
}

/** @param {ThreadElement} ui @param {Message} message @param {boolean} own */
function foot(ui, message, own) {
  const { words, calendar } = ui;
  return h("span", { class: "foot" },
    message.edited && !message.deleted && `${words.edited} `,
    h("time", { datetime: message.createdAt }, calendar.time(message.createdAt)),
    own && !message.deleted && h("span", { class: `tick ${message.status}` }, icon(TICKS[message.status], words[message.status])));
}

/** @param {ThreadElement} ui @param {Message} message */
function quote(ui, message) {
  const id = message.replyToId;
  const quoted = message.replyTo ?? ui.thread?.messages.find((other) => other.id === id);
  if (!id) return null;
  return h("button", { class: "quote", "data-f": "quote", onclick: () => ui.jump(id) },
    quoted && h("bdi", { class: "name" }, ui.nameOrYou(quoted.senderId)),
    h("span", { class: "said", dir: "auto" }, quoted?.deleted ? ui.words.deleted : quoted?.content || (quoted ? ui.words.file : "…")));
}

/** @param {ThreadElement} ui @param {Message} message */
function failure(ui, message) {
  const { words } = ui;
  return h("div", { class: "failure", role: "alert" },
    h("span", {}, words.failed, message.error?.message ? `: ${message.error.message}` : ""),
    button(words.retry, () => ui.thread?.retry(message.clientMessageId), { "data-f": "retry" }),
    button(words.discard, () => ui.thread?.discard(message.clientMessageId), { "data-f": "discard" }));
}

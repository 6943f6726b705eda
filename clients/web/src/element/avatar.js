/** A person, or a thread, as a coloured disc with initials; the colour follows from the id. Decoration: the name is beside it. */

import { h } from "./dom.js";

/** @param {string} name */
export function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

/** @param {string} id */
export function hue(id) {
  let sum = 0;
  for (const unit of id) sum = (sum * 31 + /** @type {number} */ (unit.codePointAt(0))) % 360;
  return sum;
}

/** @param {string} id @param {string} name */
export function avatar(id, name) {
  const disc = h("span", { class: "avatar", "aria-hidden": "true" }, initials(name));
  // By the object model, not by an attribute: a strict CSP lets that pass.
  disc.style.setProperty("--_hue", String(hue(id)));
  return disc;
}

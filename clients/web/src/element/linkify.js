/**
 * Finds links in text.
 *
 * Promises that only what parses as an http or https URL becomes a link, that the parts joined are the text again, and
 * that punctuation at the end of a sentence and characters that turn the writing direction stay outside.
 */

import { h } from "./dom.js";

/** @typedef {{text: string, href?: string}} Part */

const LINK = /\bhttps?:\/\/[^\s<>"\u200e\u200f\u202a-\u202e\u2066-\u2069]*[^\s<>"\u200e\u200f\u202a-\u202e\u2066-\u2069.,:;!?'…)\]}*_~]/gi;

/** @param {string} text @returns {Part[]} */
export function parts(text) {
  /** @type {Part[]} */
  const found = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(LINK)) {
    if (!URL.canParse(link)) continue;
    if (index > end) found.push({ text: text.slice(end, index) });
    found.push({ text: link, href: new URL(link).href });
    end = index + link.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** @param {string} text @returns {(Node | string)[]} */
export function linkified(text) {
  return parts(text).map(({ text: said, href }) =>
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, said) : said,
  );
}

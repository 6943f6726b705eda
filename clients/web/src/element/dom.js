/**
 * Builds elements.
 *
 * Promises that text stays text: children are nodes or strings, strings become text nodes, and nothing is ever parsed as
 * markup. No style attribute is written, so a strict CSP holds. Every class is a `part` too, for the page to style.
 */

import { icon } from "./icons.js";

/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes] functions are listeners (`onclick`), true is an empty attribute, false and null none
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (tag === "button") element.setAttribute("type", "button");
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
    if (name === "class") element.setAttribute("part", String(value));
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child != null && child !== false)));
  return element;
}

/**
 * A button; with an icon its label is read out and shown as a tooltip, without one it is the text.
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {Attributes & {icon?: string}} [attributes] `icon`: its path
 */
export function button(label, onclick, { icon: drawn, ...attributes } = {}) {
  const named = drawn ? { "aria-label": label, title: label, class: "icon" } : {};
  return h("button", { onclick, ...named, ...attributes }, drawn ? icon(drawn) : label);
}

/** For those who listen instead of look. @param {string} text */
export const unseen = (text) => h("span", { class: "unseen" }, text);

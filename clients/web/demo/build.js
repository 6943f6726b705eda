/** Builds elements. Promises that strings become text, never markup. */

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] functions are listeners (`onclick`), true is an empty attribute, false and null none
 * @param {(Node | string | null)[]} children
 * @returns {any}
 */
export function build(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** @param {string} id @returns {any} */
export const found = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * One tab stop for many items: arrows, Home and End move between them.
 *
 * Promises that exactly one item can be reached with Tab, also after the items have changed.
 */

export class Roving {
  #list;
  #selector;
  #fromEnd;

  /** @param {HTMLElement} list @param {string} selector of the items @param {{fromEnd?: boolean}} [options] which end is entered */
  constructor(list, selector, { fromEnd = false } = {}) {
    this.#list = list;
    this.#selector = selector;
    this.#fromEnd = fromEnd;
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("focusin", (event) => this.#stop(this.#of(event.target)));
  }

  /** After the items have changed. */
  refresh() {
    const items = this.#items();
    if (!items.some((item) => item.tabIndex === 0)) this.#stop(items.at(this.#fromEnd ? -1 : 0));
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll(this.#selector)]);
  }

  /** @param {EventTarget | null} target */
  #of(target) {
    return /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest(this.#selector));
  }

  /** @param {HTMLElement | null | undefined} item */
  #stop(item) {
    if (!item || item.tabIndex === 0) return;
    for (const other of this.#items()) other.tabIndex = -1;
    item.tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const item = this.#of(event.target);
    if (!item || /** @type {Element} */ (event.target).matches("input, textarea")) return;
    const items = this.#items();
    const at = items.indexOf(item);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: items.length - 1 }[event.key];
    const next = to === undefined ? undefined : items[to];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
}

/**
 * Renders a list by key.
 *
 * Promises that a node lives as long as its key is in the list, that nodes which need not move are not touched, and that
 * the focus stays where it was, also in a node that had to move. Knows nothing of what is in the nodes.
 */

/** @template {{key: string}} T */
export class KeyedList {
  /** @type {Map<string, {node: HTMLElement, item: T}>} */
  #shown = new Map();
  #parent;
  #create;
  #update;

  /**
   * @param {HTMLElement} parent holds nothing else
   * @param {(item: T) => HTMLElement} create
   * @param {(node: HTMLElement, item: T, before: T, force: boolean) => void} update
   */
  constructor(parent, create, update) {
    this.#parent = parent;
    this.#create = create;
    this.#update = update;
  }

  /** @param {string} key */
  node(key) {
    return this.#shown.get(key)?.node;
  }

  /** @param {readonly T[]} items @param {boolean} [force] handed on: update also what is the same */
  render(items, force = false) {
    const root = /** @type {ShadowRoot} */ (this.#parent.getRootNode());
    const focused = /** @type {HTMLElement | null} */ (root.activeElement);
    const keys = new Set(items.map((item) => item.key));
    for (const [key, { node }] of this.#shown) {
      if (keys.has(key)) continue;
      node.remove();
      this.#shown.delete(key);
    }
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      let shown = this.#shown.get(item.key);
      if (!shown) this.#shown.set(item.key, (shown = { node: this.#create(item), item }));
      else {
        this.#update(shown.node, item, shown.item, force);
        shown.item = item;
      }
      if (shown.node === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(shown.node, next);
    }
    if (focused && focused !== root.activeElement && this.#parent.contains(focused)) focused.focus({ preventScroll: true });
  }
}

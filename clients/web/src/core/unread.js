/**
 * What is not read, by thread and in all, as the server tells it. Pure.
 *
 * Promises: everything told is absolute and numbered, and a higher version is the later one, so notices and snapshots
 * may come twice or in any order and the view is the same. A snapshot replaces the whole view, save what is newer.
 * Threads without anything unread are not in it.
 */

/** @typedef {import("./protocol.js").UnreadItem} UnreadItem */

export class UnreadView {
  /** @type {Map<string, UnreadItem>} */ items = new Map();
  total = 0;
  /** Of notices; none is older than the snapshot. @type {Map<string, number>} */ #versions = new Map();
  #snapshotVersion = -1;
  #totalVersion = -1;

  /** @param {import("./protocol.js").UnreadNotice} notice @returns {boolean} whether it is news */
  receive({ type: _, totalUnread, version, ...item }) {
    if (version <= (this.#versions.get(item.threadId) ?? this.#snapshotVersion)) return false;
    this.#versions.set(item.threadId, version);
    this.#put(item);
    this.#count(totalUnread, version);
    return true;
  }

  /** @param {import("./protocol.js").UnreadSnapshot} snapshot */
  receiveSnapshot({ items, totalUnread, version }) {
    if (version <= this.#snapshotVersion) return;
    this.#snapshotVersion = version;
    for (const [threadId, known] of this.#versions) {
      if (known <= version) this.#versions.delete(threadId);
    }
    for (const threadId of this.items.keys()) {
      if (!this.#versions.has(threadId)) this.items.delete(threadId);
    }
    for (const item of items) {
      if (!this.#versions.has(item.threadId)) this.#put(item);
    }
    this.#count(totalUnread, version);
  }

  /** The store was replaced: nothing is known, and versions begin anew. @returns {string[]} */
  clear() {
    const threads = [...this.items.keys()];
    this.items.clear();
    this.#versions.clear();
    this.#snapshotVersion = this.#totalVersion = -1;
    this.total = 0;
    return threads;
  }

  /** @param {UnreadItem} item */
  #put(item) {
    if (item.unread) this.items.set(item.threadId, item);
    else this.items.delete(item.threadId);
  }

  /** @param {number} total @param {number} version */
  #count(total, version) {
    if (version > this.#totalVersion) {
      this.total = total;
      this.#totalVersion = version;
    }
  }
}

/**
 * Where messages wait that are not known to be stored: IndexedDB, or memory where there is none.
 *
 * Promises: an entry whose `put` has resolved survives the page (IndexedDB), until it is removed. `all` gives them in
 * the order of writing. A drawer belongs to one user of one server. When the browser takes IndexedDB away (private
 * windows, a full disk), the message still goes out; it only does not survive a reload.
 */

/** @typedef {import("./types.js").OutboxEntry} OutboxEntry */
/** @typedef {import("./types.js").OutboxStore} OutboxStore */

const DATABASE = "chatterbus";
const ENTRIES = "outbox";

/** @implements {OutboxStore} */
export class MemoryStore {
  /** @type {Map<string, OutboxEntry>} */ #entries = new Map();

  async all() {
    return [...this.#entries.values()].sort((a, b) => a.at - b.at);
  }

  /** @param {OutboxEntry} entry */
  async put(entry) {
    this.#entries.set(entry.clientMessageId, entry);
  }

  /** @param {string} id */
  async remove(id) {
    this.#entries.delete(id);
  }

  close() {}
}

/** @implements {OutboxStore} */
export class IndexedStore {
  #db;
  #owner;

  /** @param {IDBDatabase} db @param {string} owner */
  constructor(db, owner) {
    this.#db = db;
    this.#owner = owner;
    db.onversionchange = () => db.close(); // another version of the page must not wait for this one
  }

  /** @param {string} owner whose drawer: server and user @returns {Promise<IndexedStore>} */
  static open(owner) {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open(DATABASE, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(ENTRIES);
      opening.onsuccess = () => resolve(new IndexedStore(opening.result, owner));
      opening.onerror = opening.onblocked = () => reject(opening.error);
    });
  }

  /** @returns {Promise<OutboxEntry[]>} */
  async all() {
    const range = IDBKeyRange.bound([this.#owner], [this.#owner, []]);
    const entries = await this.#do("readonly", (store) => store.getAll(range));
    return entries.sort((/** @type {OutboxEntry} */ a, /** @type {OutboxEntry} */ b) => a.at - b.at);
  }

  /** @param {OutboxEntry} entry */
  async put(entry) {
    await this.#do("readwrite", (store) => store.put(entry, [this.#owner, entry.clientMessageId]));
  }

  /** @param {string} id */
  async remove(id) {
    await this.#do("readwrite", (store) => store.delete([this.#owner, id]));
  }

  close() {
    this.#db.close();
  }

  /** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} ask @returns {Promise<any>} */
  #do(mode, ask) {
    return new Promise((resolve, reject) => {
      const transaction = this.#db.transaction(ENTRIES, mode);
      const request = ask(transaction.objectStore(ENTRIES));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

/** @param {import("./types.js").ClientOptions["storage"]} storage @param {string | null} owner null: nobody known @returns {Promise<OutboxStore>} */
export async function openStore(storage, owner) {
  if (storage && typeof storage === "object") return storage;
  if (storage === "memory" || owner === null || !globalThis.indexedDB) return new MemoryStore();
  return IndexedStore.open(owner).catch(() => new MemoryStore());
}

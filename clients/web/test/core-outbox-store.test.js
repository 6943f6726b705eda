// Where unsent messages wait: the same behaviour in memory and in IndexedDB, and what happens without it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { IDBFactory, IDBKeyRange } from "fake-indexeddb";

import { IndexedStore, MemoryStore, openStore } from "../src/core/outbox-store.js";

globalThis.IDBKeyRange = IDBKeyRange;

const OWNER = "https://chat.example alice";
const entry = (id, at) => ({ clientMessageId: id, threadId: "t1", at, frame: { type: "message", threadId: "t1", content: id, clientMessageId: id }, attachments: [] });
const ids = async (store) => (await store.all()).map(({ clientMessageId }) => clientMessageId);

const STORES = {
  memory: async () => new MemoryStore(),
  IndexedDB: async () => {
    globalThis.indexedDB = new IDBFactory();
    return IndexedStore.open(OWNER);
  },
};

for (const [name, open] of Object.entries(STORES)) {
  test(`${name}: entries come in the order of writing`, async () => {
    const store = await open();
    await store.put(entry("z", 1));
    await store.put(entry("a", 2));
    await store.put(entry("m", 3));
    assert.deepEqual(await ids(store), ["z", "a", "m"]);
    store.close();
  });

  test(`${name}: the same id replaces, a removed one is gone`, async () => {
    const store = await open();
    await store.put(entry("a", 1));
    await store.put({ ...entry("a", 1), error: { code: "FORBIDDEN", message: "no", retryable: false } });
    await store.put(entry("b", 2));
    assert.equal((await store.all())[0].error.code, "FORBIDDEN");
    await store.remove("a");
    await store.remove("never there");
    assert.deepEqual(await ids(store), ["b"]);
    store.close();
  });
}

test("IndexedDB: what was put survives the page, each user of each server has a drawer", async () => {
  const first = await STORES.IndexedDB();
  await first.put(entry("a", 1));
  first.close();
  const [again, bob, elsewhere] = await Promise.all([OWNER, "https://chat.example bob", "https://other.example alice"].map((owner) => IndexedStore.open(owner)));
  assert.deepEqual(await ids(again), ["a"]);
  assert.deepEqual([await ids(bob), await ids(elsewhere)], [[], []]);
});

test("IndexedDB: another version of the page does not wait for this one", async () => {
  await STORES.IndexedDB();
  const opening = indexedDB.open("chatterbus", 2);
  await new Promise((resolve, reject) => Object.assign(opening, { onsuccess: resolve, onblocked: reject }));
  opening.result.close();
});

test("without IndexedDB, with one that fails, or with nobody known, memory does", async () => {
  globalThis.indexedDB = undefined;
  assert.ok((await openStore("auto", OWNER)) instanceof MemoryStore);
  globalThis.indexedDB = {
    open() {
      const opening = { error: new Error("private window") };
      queueMicrotask(() => opening.onerror());
      return opening;
    },
  };
  assert.ok((await openStore("auto", OWNER)) instanceof MemoryStore);
  globalThis.indexedDB = { open() { throw new Error("refused"); } };
  assert.ok((await openStore(undefined, OWNER)) instanceof MemoryStore);
  globalThis.indexedDB = new IDBFactory();
  assert.ok((await openStore("auto", null)) instanceof MemoryStore);
  assert.ok((await openStore("memory", OWNER)) instanceof MemoryStore);
  assert.ok((await openStore("auto", OWNER)) instanceof IndexedStore);
});

test("a store of one's own is used as it is", async () => {
  const own = new MemoryStore();
  assert.equal(await openStore(own, OWNER), own);
});

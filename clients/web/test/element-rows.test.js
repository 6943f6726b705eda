import assert from "node:assert/strict";
import { test } from "node:test";
import { InboxItems } from "../src/element/inbox-items.js";
import { KeyedList } from "../src/element/keyed-list.js";
import { rows } from "../src/element/rows.js";
import { isAtEnd } from "../src/element/scroll-keeper.js";

const calendar = { key: (at) => at.slice(0, 10) };
const message = (seq, senderId, createdAt, more = {}) => ({ key: `k${seq}`, seq, senderId, createdAt, messageType: "text", pending: false, ...more });
const at = (minute, day = "01") => `2026-01-${day}T10:${String(minute).padStart(2, "0")}:00Z`;

test("each day is announced once, before its first message", () => {
  const made = rows([message(1, "a", at(0)), message(2, "a", at(1)), message(3, "a", at(0, "02"))], calendar);
  assert.deepEqual(made.map(({ key }) => key), ["day 2026-01-01", "k1", "k2", "day 2026-01-02", "k3"]);
});

test("messages of one sender within five minutes are a group", () => {
  const made = rows([message(1, "a", at(0)), message(2, "a", at(4)), message(3, "a", at(10)), message(4, "b", at(11))], calendar);
  assert.deepEqual(made.slice(1).map(({ first, last }) => [first, last]), [[true, false], [false, true], [true, true], [true, true]]);
});

test("the unread divider is before the first unread message of somebody else, and only once", () => {
  const list = [message(1, "b", at(0)), message(2, "me", at(1)), message(3, "b", at(1)), message(4, "b", at(2))];
  const made = rows(list, calendar, { unreadAfter: 1, me: "me" });
  assert.deepEqual(made.map(({ key }) => key), ["day 2026-01-01", "k1", "k2", "unread", "k3", "k4"]);
  assert.equal(made[4].first, true);
  assert.ok(!rows(list, calendar, { unreadAfter: 4, me: "me" }).some(({ key }) => key === "unread"));
});

test("the end is the end, give or take a little", () => {
  assert.ok(isAtEnd({ scrollTop: 560, clientHeight: 400, scrollHeight: 1000 }));
  assert.ok(!isAtEnd({ scrollTop: 500, clientHeight: 400, scrollHeight: 1000 }));
});

/** As much of a DOM as a keyed list asks for. */
class Parent {
  children = [];
  moves = 0;
  getRootNode() { return { activeElement: null }; }
  contains() { return false; }
  get firstElementChild() { return this.children[0] ?? null; }
  insertBefore(node, next) {
    this.moves += 1;
    this.children = this.children.filter((child) => child !== node);
    const index = next ? this.children.indexOf(next) : this.children.length;
    this.children.splice(index, 0, node);
  }
  make(key) {
    const parent = this;
    return { key, remove() { parent.children = parent.children.filter((child) => child !== this); },
      get nextElementSibling() { return parent.children[parent.children.indexOf(this) + 1] ?? null; } };
  }
}

test("a keyed list ends in the right order with the same nodes, whatever the change", () => {
  const parent = new Parent();
  const list = new KeyedList(parent, ({ key }) => parent.make(key), () => {});
  const nodes = new Map();
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round += 1) {
    const keys = Array.from("abcdefgh").filter(() => random() > 0.4).sort(() => random() - 0.5);
    list.render(keys.map((key) => ({ key })));
    assert.deepEqual(parent.children.map(({ key }) => key), keys);
    for (const [key] of nodes) if (!keys.includes(key)) nodes.delete(key);
    for (const key of keys) {
      assert.equal(nodes.get(key) ?? list.node(key), list.node(key));
      nodes.set(key, list.node(key));
    }
  }
});

test("a keyed list moves nothing when older items come in front and newer ones behind", () => {
  const parent = new Parent();
  const list = new KeyedList(parent, ({ key }) => parent.make(key), () => {});
  list.render([{ key: "c" }, { key: "d" }]);
  parent.moves = 0;
  list.render(["a", "b", "c", "d", "e"].map((key) => ({ key })));
  assert.equal(parent.moves, 3);
});

const summary = (id, minute, more = {}) => ({ id, title: null, members: [], lastSeq: 5, lastMessageAt: at(minute), createdAt: at(0), unread: 0,
  own: { muted: false }, lastMessage: { seq: 5, senderId: "b", content: "old", deleted: false, createdAt: at(minute) }, ...more });

test("an inbox is in the order of the last activity, each thread once", () => {
  const items = new InboxItems();
  items.addPage([summary("a", 1), summary("b", 3)], new Map());
  items.addPage([summary("a", 1), summary("c", 2)], new Map());
  assert.deepEqual(items.sorted.map(({ key }) => key), ["b", "c", "a"]);
  items.setMessage("a", { seq: 6, senderId: "b", content: "new", deleted: false, createdAt: at(9) });
  assert.equal(items.sorted[0].key, "a");
});

test("neither an older page nor an older message replaces a newer one", () => {
  const items = new InboxItems();
  items.addPage([summary("a", 1)], new Map());
  items.setMessage("a", { seq: 6, senderId: "b", content: "new", deleted: false, createdAt: at(9) });
  items.addPage([summary("a", 1)], new Map());
  items.setMessage("a", { seq: 4, senderId: "b", content: "older", deleted: false, createdAt: at(0) });
  assert.equal(items.sorted[0].last.content, "new");
});

test("no notice means that everything is read", () => {
  const items = new InboxItems();
  items.addPage([summary("a", 1, { unread: 3, own: { muted: true } })], new Map([["a", { mentions: 1 }]]));
  assert.deepEqual([items.sorted[0].unread, items.sorted[0].mentions], [3, 1]);
  items.setUnread("a", undefined);
  assert.deepEqual([items.sorted[0].unread, items.sorted[0].mentions, items.sorted[0].muted], [0, 0, true]);
});

test("the elements can be loaded where there is no DOM", async () => {
  await import("../src/element/index.js");
});

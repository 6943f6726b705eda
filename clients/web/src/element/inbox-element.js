/**
 * <chatterbus-inbox>: one's threads, newest activity first.
 *
 * Promises to stay true by itself, to keep the focus on its thread while threads change places, and to fire
 * `chatterbus-select` {threadId} when one is chosen. Attributes: selected (a thread's id), theme, lang, label
 * (what a screen reader calls it), and url, token, user-id for a client of its own. Properties: client, names, nameOf, strings.
 */

import { avatar } from "./avatar.js";
import { ChatElement, listen } from "./chat-element.js";
import { h, unseen } from "./dom.js";
import { icon } from "./icons.js";
import { InboxItems } from "./inbox-items.js";
import { KeyedList } from "./keyed-list.js";
import { others, presenceDot, threadTitle } from "./presence.js";
import { Roving } from "./roving.js";
import { INBOX_STYLE } from "./style-inbox.js";

/** @typedef {import("./inbox-items.js").InboxItem} InboxItem */
/** @typedef {import("../core/client.js").ChatClient} ChatClient */

const PAGE = 30;
/** The protocol's. */
const WATCHED_MAX = 200;
/** News that come together are asked for once. */
const RELOAD_MS = 300;

export class InboxElement extends ChatElement {
  #items = new InboxItems();

  constructor() {
    super(INBOX_STYLE);
  }

  get selected() {
    return this.getAttribute("selected");
  }
  set selected(id) {
    if (id) this.setAttribute("selected", id);
    else this.removeAttribute("selected");
  }

  /** @param {ChatClient} client @param {AbortSignal} signal */
  attach(client, signal) {
    const items = this.#items;
    const list = h("ul", { class: "threads", role: "list" });
    const below = h("p", { class: "below", role: "status" }, this.words.loading);
    const roving = new Roving(list, ".thread");
    const keyed = new KeyedList(list, (/** @type {InboxItem} */ item) => h("li", {}, this.#thread(item)),
      (node, item, before, force) => {
        const row = /** @type {HTMLElement} */ (node.firstElementChild);
        if (force || item !== before) row.replaceChildren(...this.#content(item));
        this.#mark(row, item);
      });
    let loaded = false;
    let watched = "";
    /** @type {Map<string, number>} */ const asked = new Map();
    /** @type {string | null} */ let cursor = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let reload;

    const draw = (force = false) => {
      const { sorted } = items;
      keyed.render(sorted, force);
      roving.refresh();
      if (loaded) below.textContent = sorted.length ? "" : this.words.noThreads;
      const ids = [...new Set(sorted.flatMap(({ members }) => (members.length === 2 ? others(members, this.me) : [])))].slice(0, WATCHED_MAX);
      if (ids.join() !== watched) client.watchPresence(ids);
      watched = ids.join();
    };
    /** @param {string} [from] */
    const load = async (from) => {
      try {
        const page = await client.listThreads({ limit: PAGE, cursor: from });
        if (signal.aborted) return;
        items.addPage(page.items, client.unread);
        if (from || !loaded) cursor = page.nextCursor;
        loaded = true;
        draw();
        end.disconnect();
        if (cursor) end.observe(below);
      } catch {
        // Asked again when the connection is back.
      }
    };
    const reloadSoon = () => {
      clearTimeout(reload);
      reload = setTimeout(load, RELOAD_MS);
    };
    const end = new IntersectionObserver(([entry]) => entry.isIntersecting && cursor && load(cursor), { root: this.box, rootMargin: "200px" });

    this.box.setAttribute("aria-label", this.getAttribute("label") ?? this.words.threads);
    this.box.replaceChildren(list, below);
    listen(client, ["unread"], signal, ({ threadId, item }) => {
      if (threadId && !items.all.has(threadId)) return reloadSoon();
      for (const id of threadId ? [threadId] : items.all.keys()) items.setUnread(id, threadId ? item : client.unread.get(id));
      draw();
    });
    listen(client, ["thread"], signal, ({ threadId }) => {
      const thread = client.thread(threadId);
      if (!items.all.has(threadId)) {
        // Of a thread that is further down, or archived, each message asks once.
        if (asked.get(threadId) !== thread.lastSeq) reloadSoon();
        asked.set(threadId, thread.lastSeq);
        return;
      }
      const last = thread.messages.filter(({ pending }) => !pending).at(-1);
      if (thread.members.size) items.set(threadId, { title: thread.title, members: [...thread.members.values()] });
      if (last) items.setMessage(threadId, last);
      draw();
    });
    listen(client, ["presence"], signal, ({ userId }) => {
      for (const item of items.sorted) if (item.members.some((member) => member.userId === userId)) this.#face(keyed.node(item.key), item);
    });
    listen(client, ["lost"], signal, ({ threadId }) => {
      items.all.delete(threadId);
      draw();
    });
    listen(client, ["state"], signal, ({ state }) => state === "online" && load());
    signal.addEventListener("abort", () => {
      clearTimeout(reload);
      end.disconnect();
    });
    this.redraw = () => draw(true);
    draw();
    load();
  }

  detach() {
    this.redraw = () => {};
    this.box.replaceChildren();
  }

  /** @param {string} name @param {string | null} [before] @param {string | null} [after] */
  attributeChangedCallback(name, before, after) {
    if (name !== "selected") return super.attributeChangedCallback(name, before, after);
    for (const row of this.box.querySelectorAll(".thread")) {
      this.#mark(/** @type {HTMLElement} */ (row), { key: /** @type {HTMLElement} */ (row).dataset.id ?? "" });
    }
  }

  /** @param {InboxItem} item */
  #thread(item) {
    const row = h("button", { class: "thread", "data-id": item.key, tabindex: -1, onclick: () => {
      this.selected = item.key;
      this.dispatchEvent(new CustomEvent("chatterbus-select", { detail: { threadId: item.key }, bubbles: true, composed: true }));
    } }, ...this.#content(item));
    this.#mark(row, item);
    return row;
  }

  /** @param {HTMLElement} row @param {{key: string}} item */
  #mark(row, { key }) {
    row.setAttribute("aria-current", String(key === this.selected));
  }

  /** @param {HTMLElement | undefined} node @param {InboxItem} item */
  #face(node, item) {
    const ids = others(item.members, this.me);
    const title = threadTitle(this, item.title, ids, item.key);
    const single = ids.length === 1;
    const face = h("span", { class: "face" }, avatar(single ? ids[0] : item.key, title),
      single && presenceDot(this, this.client?.presence(ids[0])));
    node?.querySelector(".face")?.replaceWith(face);
    return { face, title };
  }

  /** @param {InboxItem} item */
  #content(item) {
    const { words, calendar } = this;
    const { last, unread, mentions, muted } = item;
    const { face, title } = this.#face(undefined, item);
    const who = last && last.senderId === this.me ? `${words.you}: ` : last && item.members.length > 2 ? `${this.name(last.senderId)}: ` : "";
    const said = !last ? words.noMessages : last.deleted ? words.deleted : last.content || words.file;
    return [face, h("span", { class: "names" },
      h("span", { class: "top" },
        h("bdi", { class: "title" }, title), muted && icon("muted", words.muted),
        h("time", { datetime: item.at }, calendar.short(item.at))),
      h("span", { class: "top" },
        h("bdi", { class: "last" }, who, said),
        mentions > 0 && h("span", { class: "badge at" }, h("span", { "aria-hidden": "true" }, "@"), unseen(words.mentions(mentions))),
        unread > 0 && h("span", { class: muted ? "badge quiet" : "badge" },
          h("span", { "aria-hidden": "true" }, unread > 99 ? "99+" : String(unread)), unseen(words.unreadCount(unread))))),
    ];
  }
}

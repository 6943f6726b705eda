/**
 * What an inbox shows, from the list of threads and all that happens afterwards.
 *
 * Promises to ask for a page of threads at a time, to follow what the client hears, and to end with `signal`.
 */

import { avatar } from "./avatar.js";
import { listen } from "./chat-element.js";
import { h, unseen } from "./dom.js";
import { MUTED, icon } from "./icons.js";
import { InboxItems } from "./inbox-items.js";
import { KeyedList } from "./keyed-list.js";
import { others, presenceDot, threadTitle } from "./presence.js";
import { Roving } from "./roving.js";
import { dress } from "./sheet.js";
import { INBOX_STYLE } from "./style-inbox.js";

/** @typedef {import("./inbox-items.js").InboxItem} InboxItem */
/** @typedef {import("./inbox-element.js").InboxElement} InboxElement */
/** @typedef {import("../core/client.js").ChatClient} ChatClient */

const PAGE = 30;
/** The protocol's. */
const WATCHED_MAX = 200;
/** News that come together are asked for once. */
const RELOAD_MS = 300;

export class InboxView {
  #ui;
  #client;
  #signal;
  #items = new InboxItems();
  #list = h("ul", { class: "threads", role: "list" });
  #below;
  #roving = new Roving(this.#list, ".thread");
  #keyed;
  #end;
  #loaded = false;
  /** @type {string | null} */ #cursor = null;
  /** Others may watch the same people. */ #asker = `inbox ${Math.random()}`;
  #watched = "";
  /** @type {Map<string, number>} */ #asked = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #reload;

  /** @param {InboxElement} ui @param {ChatClient} client @param {AbortSignal} signal */
  constructor(ui, client, signal) {
    this.#ui = ui;
    this.#client = client;
    this.#signal = signal;
    this.#below = h("p", { class: "below", role: "status" }, ui.words.loading);
    this.#keyed = new KeyedList(this.#list, (/** @type {InboxItem} */ item) => h("li", {}, this.#row(item)), (node, item, before, force) => {
      if (force || item !== before) node.firstElementChild?.replaceChildren(...this.#content(item));
    });
    this.#end = new IntersectionObserver(([entry]) => entry.isIntersecting && this.#cursor && this.#load(this.#cursor), {
      root: ui.box, rootMargin: "200px",
    });
    dress(ui.box.getRootNode(), INBOX_STYLE);
    ui.box.setAttribute("aria-label", ui.getAttribute("label") ?? ui.words.threads);
    ui.box.replaceChildren(this.#list, this.#below);
    listen(client, ["unread"], signal, (detail) => this.#unread(detail));
    listen(client, ["thread"], signal, (detail) => this.#changed(detail));
    listen(client, ["presence"], signal, ({ userId }) => {
      for (const item of this.#items.sorted) {
        if (item.members.some((member) => member.userId === userId)) this.#face(item, this.#keyed.node(item.key));
      }
    });
    listen(client, ["lost"], signal, ({ threadId }) => {
      this.#items.all.delete(threadId);
      this.render();
    });
    listen(client, ["state"], signal, ({ state }) => state === "online" && this.#load());
    signal.addEventListener("abort", () => {
      clearTimeout(this.#reload);
      this.#end.disconnect();
      client.watchPresence([], this.#asker);
    });
    this.#load();
  }

  /** @param {boolean} [force] also what is the same */
  render(force = false) {
    const { sorted } = this.#items;
    const { words, me } = this.#ui;
    this.#keyed.render(sorted, force);
    this.mark();
    this.#roving.refresh();
    if (this.#loaded) this.#below.textContent = sorted.length ? "" : words.noThreads;
    const pairs = sorted.filter(({ members }) => members.length === 2);
    const ids = [...new Set(pairs.flatMap(({ members }) => others(members, me)))].slice(0, WATCHED_MAX);
    if (ids.join() !== this.#watched) this.#client.watchPresence(ids, this.#asker);
    this.#watched = ids.join();
  }

  /** Which one is selected. */
  mark() {
    for (const row of /** @type {Iterable<HTMLElement>} */ (this.#list.querySelectorAll(".thread"))) {
      row.setAttribute("aria-current", String(row.dataset.id === this.#ui.selected));
    }
  }

  /** A page of threads: the first, or what follows `from`. @param {string} [from] */
  async #load(from) {
    try {
      const { items, nextCursor } = await this.#client.listThreads({ limit: PAGE, cursor: from });
      if (this.#signal.aborted) return;
      this.#items.addPage(items, this.#client.unread);
      if (from || !this.#loaded) this.#cursor = nextCursor;
      this.#loaded = true;
      this.render();
      // Asks again whether the end is in sight.
      this.#end.disconnect();
      if (this.#cursor) this.#end.observe(this.#below);
    } catch {
      // Asked again when the connection is back.
    }
  }

  #reloadSoon() {
    clearTimeout(this.#reload);
    this.#reload = setTimeout(() => this.#load(), RELOAD_MS);
  }

  /** @param {{threadId?: string, item?: import("../core/types.js").UnreadItem}} news of one thread, or of all */
  #unread({ threadId, item }) {
    const { all } = this.#items;
    if (threadId && !all.has(threadId)) return this.#reloadSoon();
    for (const id of threadId ? [threadId] : all.keys()) this.#items.setUnread(id, threadId ? item : this.#client.unread.get(id));
    this.render();
  }

  /** @param {{threadId: string}} news */
  #changed({ threadId }) {
    const thread = this.#client.thread(threadId);
    if (!this.#items.all.has(threadId)) {
      // Of a thread that is further down, or archived, each message asks once.
      if (this.#asked.get(threadId) !== thread.lastSeq) this.#reloadSoon();
      this.#asked.set(threadId, thread.lastSeq);
      return;
    }
    const last = thread.messages.filter(({ pending }) => !pending).at(-1);
    if (thread.members.size) this.#items.set(threadId, { title: thread.title, members: [...thread.members.values()] });
    if (last) this.#items.setMessage(threadId, last);
    this.render();
  }

  /** @param {InboxItem} item */
  #row(item) {
    const ui = this.#ui;
    return h("button", { class: "thread", "data-id": item.key, tabindex: -1, onclick: () => {
      ui.selected = item.key;
      ui.dispatchEvent(new CustomEvent("chatterbus-select", { detail: { threadId: item.key }, bubbles: true, composed: true }));
    } }, ...this.#content(item));
  }

  /** @param {InboxItem} item @param {HTMLElement} [node] where it is put in place of the old one */
  #face(item, node) {
    const ui = this.#ui;
    const ids = others(item.members, ui.me);
    const title = threadTitle(ui, item.title, ids, item.key);
    const single = ids.length === 1;
    const face = h("span", { class: "face" }, avatar(single ? ids[0] : item.key, title),
      single && presenceDot(ui, this.#client.presence(ids[0])));
    node?.querySelector(".face")?.replaceWith(face);
    return { face, title };
  }

  /** @param {InboxItem} item */
  #content(item) {
    const { words, calendar, me } = this.#ui;
    const { last, unread, mentions, muted, members, at } = item;
    const { face, title } = this.#face(item);
    const who = last && last.senderId === me ? `${words.you}: ` : last && members.length > 2 ? `${this.#ui.name(last.senderId)}: ` : "";
    const said = !last ? words.noMessages : last.deleted ? words.deleted : last.content || words.file;
    return [face, h("span", { class: "names" },
      h("span", { class: "top" },
        h("bdi", { class: "title" }, title), muted && icon(MUTED, words.muted),
        h("time", { datetime: at }, calendar.short(at))),
      h("span", { class: "top" },
        h("bdi", { class: "last" }, who, said),
        mentions > 0 && h("span", { class: "badge at" }, h("span", { "aria-hidden": "true" }, "@"), unseen(words.mentions(mentions))),
        unread > 0 && h("span", { class: muted ? "badge quiet" : "badge" },
          h("span", { "aria-hidden": "true" }, unread > 99 ? "99+" : String(unread)), unseen(words.unreadCount(unread))))),
    ];
  }
}

/**
 * One person at the table: a client with its own network, an inbox, a thread, and what is known of the connection.
 *
 * Promises: everything of the person is in `panel` and ends with `leave()`. The network switch cuts this person only.
 */

import "/chatterbus/element/index.js";
import { ChatClient } from "/chatterbus/index.js";

import { build } from "./build.js";
import { Meter } from "./meter.js";
import { Network } from "./network.js";
import { ConnectionLine } from "./connection-line.js";
import { nameThread } from "./name-thread.js";
import { nameOf } from "./people.js";

/** @typedef {import("./frame-log.js").FrameLog} FrameLog */

const STATUSES = [["online", "Online"], ["away", "Away"], ["dnd", "Do not disturb"], ["invisible", "Invisible"]];

export class Seat {
  #network;
  #client;
  #line;
  /** @type {any} */ #thread = null;
  #life = new AbortController();

  /**
   * @param {string} userId @param {FrameLog} log
   * @param {{opened(threadId: string): void, unread(total: number): void}} told
   */
  constructor(userId, log, told) {
    this.userId = userId;
    const meter = new Meter();
    this.#network = new Network(({ way, what, frame }) => {
      log.add(userId, way, what);
      if (way === "up") meter.wrote(frame, performance.now());
      if (way === "down" && meter.heard(frame, performance.now())) this.#line.show();
    });
    this.#client = new ChatClient({
      url: location.origin,
      userId,
      name: nameOf(userId),
      WebSocket: this.#network.WebSocket,
      fetch: this.#network.fetch,
    });
    this.#line = new ConnectionLine(this.#client, meter, this.#life.signal);
    this.#build(told);
    const on = /** @type {(type: string, heard: (detail: any) => void) => void} */ (
      (type, heard) =>
        this.#client.addEventListener(type, (event) => heard(/** @type {CustomEvent} */ (event).detail), {
          signal: this.#life.signal,
        })
    );
    on("state", ({ state }) => {
      log.add(userId, "note", state.replace("_", " "));
      if (state === "offline") meter.lost();
    });
    on("unread", ({ totalUnread }) => told.unread(totalUnread));
    this.#client.connect().catch(() => {}); // its state tells
  }

  get threadId() {
    return this.#thread?.id ?? "";
  }

  get totalUnread() {
    return this.#client.totalUnread;
  }

  /** @param {string} threadId */
  open(threadId) {
    if (threadId === this.threadId) return this.#turnTo("thread");
    this.#thread = this.#client.thread(threadId);
    this.#line.watch(this.#thread);
    nameThread(this.#thread, this.userId, this.#network.fetch, this.#life.signal);
    this.chat.threadId = threadId;
    this.inbox.selected = threadId;
    this.#turnTo("thread");
  }

  /** Whether the person's messages can be seen at all (on a phone it is one person at a time). @param {boolean} visible */
  show(visible) {
    this.panel.classList.toggle("covered", !visible);
  }

  leave() {
    this.#life.abort();
    this.panel.remove();
    this.#client.close();
  }

  /** @param {{opened(threadId: string): void}} told */
  #build(told) {
    this.inbox = /** @type {any} */ (build("chatterbus-inbox"));
    this.chat = /** @type {any} */ (build("chatterbus-thread"));
    for (const element of [this.inbox, this.chat]) {
      element.nameOf = nameOf;
      element.setAttribute("label", `${element === this.inbox ? "Threads" : "Thread"} of ${nameOf(this.userId)}`);
      element.client = this.#client;
    }
    this.inbox.addEventListener("chatterbus-select", (/** @type {CustomEvent} */ event) => {
      this.open(event.detail.threadId);
      told.opened(event.detail.threadId);
    });
    this.chat.append(
      build("button", { type: "button", slot: "start", class: "back", "aria-label": "Threads", onclick: () => this.#turnTo("inbox") }, "‹"),
    );
    const name = nameOf(this.userId);
    this.panes = build("div", { class: "panes", "data-pane": "thread" }, this.inbox, this.chat);
    this.panel = build(
      "section",
      { class: "seat", "aria-label": name, "data-user": this.userId },
      build(
        "header",
        {},
        build("div", { class: "who" }, build("h2", {}, name), this.#presence(name)),
        this.#switch(name),
        this.#line.element,
      ),
      this.panes,
    );
  }

  /** @param {string} name */
  #presence(name) {
    const choose = (/** @type {Event} */ event) => {
      const list = /** @type {HTMLSelectElement} */ (event.target);
      this.#client.setPresence(/** @type {any} */ (list.value)).catch(() => this.#line.say("Not told: no connection"));
    };
    const options = STATUSES.map(([value, text]) => build("option", { value }, text));
    return build("select", { "aria-label": `Presence of ${name}`, onchange: choose, class: "presence" }, ...options);
  }

  /** @param {string} name */
  #switch(name) {
    const button = build(
      "button",
      { type: "button", role: "switch", class: "switch", "aria-checked": "true", "aria-label": `Network of ${name}` },
      build("span", { class: "track", "aria-hidden": "true" }),
      build("span", { class: "label" }, "Network"),
    );
    button.addEventListener("click", () => {
      if (this.#network.isCut) this.#network.mend();
      else this.#network.cut();
      const { isCut } = this.#network;
      button.setAttribute("aria-checked", String(!isCut));
      this.panel.classList.toggle("cut", isCut);
      // What a browser's own `online` event does; a mended cable has none.
      if (!isCut) this.#client.retryNow();
    });
    return button;
  }

  /** On a phone there is room for one of them. @param {"thread" | "inbox"} pane */
  #turnTo(pane) {
    this.panes.dataset.pane = pane;
  }
}

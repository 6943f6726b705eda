/**
 * The messages of a thread, scrolled.
 *
 * Promises that the list keeps its place while older messages come in above, follows new ones only when it is at its
 * end and counts them otherwise; that it draws the recent ones and more as they are scrolled to, so that thousands cost
 * what is seen; that what is new is announced and what is old is not.
 */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { KeyedList } from "./keyed-list.js";
import { MessageToolbar } from "./message-toolbar.js";
import { createRow, updateRow } from "./message-view.js";
import { Roving } from "./roving.js";
import { rows } from "./rows.js";
import { ScrollKeeper } from "./scroll-keeper.js";

/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */
/** @typedef {import("../core/thread.js").Thread} Thread */
/** @typedef {import("./rows.js").Row} Row */

/** Drawn at first, and again when the reader is back at the end. */
const RECENT = 100;
/** More than this, at the end, and the oldest are taken away. */
const DRAWN_MAX = 200;
/** Drawn or fetched at a time. */
const PAGE = 50;
/** How many pages a jump to an old message may fetch. */
const JUMP_PAGES = 20;
/** Until additions of the list are announced again. */
const QUIET_MS = 500;

export class MessageList {
  #ui;
  #thread;
  #unreadAfter;
  #above = h("div", { class: "above" });
  #list = h("ol", { class: "rows", role: "list" });
  #pill = h("button", { class: "pill", hidden: true, onclick: () => this.toEnd() });
  #scroller;
  #keyed;
  #keeper;
  #toolbar;
  #roving;
  /** Drawn from this seq on. */ #from = -1;
  /** Everything up to here was at the end when the reader was. */ #seen = 0;
  #busy = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #quiet;
  #sentinel;
  node;

  /** @param {ThreadElement} ui @param {Thread} thread @param {number | null} unreadAfter where the divider goes */
  constructor(ui, thread, unreadAfter) {
    this.#ui = ui;
    this.#thread = thread;
    this.#unreadAfter = unreadAfter;
    const content = h("div", {}, this.#above, this.#list);
    this.#scroller = h("div", {
      class: "scroller", role: "log", tabindex: 0, "aria-live": "off", "aria-label": ui.words.messages,
      onfocusin: (/** @type {Event} */ event) => this.#point(event), onmouseover: (/** @type {Event} */ event) => this.#point(event),
      onclick: (/** @type {Event} */ event) => this.#point(event), onmouseleave: () => this.#toolbar.attach(null),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    }, content);
    this.node = h("div", { class: "stage" }, this.#scroller, this.#pill);
    this.#toolbar = new MessageToolbar(ui);
    this.#roving = new Roving(this.#list, ".message", { fromEnd: true });
    this.#keyed = new KeyedList(this.#list, (/** @type {Row} */ row) => createRow(ui, row), (node, row, before, force) => {
      updateRow(ui, node, row, before, force);
      if (row.message && (force || row.message !== before.message)) this.#toolbar.renew(node, row.message);
    });
    this.#keeper = new ScrollKeeper(this.#scroller, content, ".message", () => this.#tell());
    this.#sentinel = new IntersectionObserver(([entry]) => entry.isIntersecting && this.#more(), {
      root: this.#scroller, rootMargin: "400px 0px 0px",
    });
  }

  /** Draw what the thread has now. @param {boolean} [force] also what is the same */
  render(force = false) {
    const { messages } = this.#thread;
    const opening = this.#from < 0 && messages.length > 0;
    const newest = messages.at(-1);
    // What one has just sent is looked at, wherever one was.
    if (newest?.pending && !this.#keyed.node(newest.key)) this.#keeper.stuck = true;
    this.#trim(opening);
    this.#keeper.keep(() => this.#draw(force));
    if (opening) this.#open();
    this.#above.textContent = messages.length ? "" : this.#thread.caughtUp ? this.#ui.words.noMessages : this.#ui.words.loading;
    this.#roving.refresh();
    this.#tell();
  }

  toEnd() {
    this.#keeper.toEnd();
    this.render();
    /** @type {HTMLElement | null} */ (this.#list.lastElementChild)?.focus({ preventScroll: true });
  }

  /** Show a message, fetched if need be. @param {string} messageId */
  async jump(messageId) {
    const seq = Number(messageId.slice(messageId.lastIndexOf("~") + 1));
    this.#keeper.stuck = false;
    for (let page = 0; page < JUMP_PAGES && this.#oldest > seq && this.#thread.hasOlder; page += 1) {
      await this.#ui.attempt(this.#thread.loadOlder(200));
    }
    const message = this.#thread.messages.find(({ id }) => id === messageId);
    if (!message) return;
    this.#hush();
    this.#from = Math.min(this.#from, seq);
    this.#keeper.keep(() => this.#draw());
    const node = this.#keyed.node(message.key);
    if (!node) return;
    this.#scroller.scrollTop = node.offsetTop - (this.#scroller.clientHeight - node.offsetHeight) / 2;
    node.focus({ preventScroll: true });
    node.classList.add("found");
    node.addEventListener("animationend", () => node.classList.remove("found"), { once: true });
  }

  get #oldest() {
    return this.#thread.messages[0]?.seq ?? 0;
  }

  get #drawn() {
    return this.#thread.messages.filter(({ pending, seq }) => pending || seq >= this.#from);
  }

  #draw(force = false) {
    this.#keyed.render(rows(this.#drawn, this.#ui.calendar, { unreadAfter: this.#unreadAfter, me: this.#ui.me }), force);
  }

  /** @param {boolean} opening */
  #trim(opening) {
    const { messages } = this.#thread;
    if (opening || (this.#keeper.stuck && this.#drawn.length > DRAWN_MAX)) this.#from = messages.at(-RECENT)?.seq ?? this.#oldest;
  }

  /** The first messages are here: begin where reading begins. */
  #open() {
    const divider = this.#keyed.node("unread");
    if (divider) {
      this.#scroller.scrollTop = divider.offsetTop - 48;
      this.#keeper.settle();
    } else this.#keeper.toEnd();
    this.#seen = this.#unreadAfter ?? this.#thread.lastSeq;
    this.#hush();
    this.#sentinel.observe(this.#above);
  }

  /** What is drawn now is old. */
  #hush() {
    this.#scroller.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#scroller.setAttribute("aria-live", "polite"), QUIET_MS);
  }

  async #more() {
    if (this.#busy) return;
    this.#busy = true;
    this.#sentinel.disconnect();
    const undrawn = this.#thread.messages.findIndex(({ seq }) => seq === this.#from);
    this.#hush();
    let went = true;
    if (undrawn > 0) this.#from = this.#thread.messages[Math.max(0, undrawn - PAGE)].seq;
    else if (this.#thread.hasOlder) {
      this.#from = 0;
      this.#above.textContent = this.#ui.words.loading;
      went = (await this.#ui.attempt(this.#thread.loadOlder(PAGE))) !== undefined;
      this.#above.textContent = "";
      this.#from = this.#oldest;
      this.#hush();
    }
    this.#keeper.keep(() => this.#draw());
    this.#busy = false;
    // Asks again whether the beginning is in sight; when the server is away, not at once.
    setTimeout(() => this.#sentinel.observe(this.#above), went ? 0 : 5000);
  }

  /** What is new below. */
  #tell() {
    const { messages } = this.#thread;
    if (this.#keeper.stuck) this.#seen = this.#thread.lastSeq;
    let count = 0;
    for (let at = messages.length - 1; at >= 0; at -= 1) {
      const { pending, seq, senderId } = messages[at];
      if (!pending && seq <= this.#seen) break;
      if (senderId !== this.#ui.me) count += 1;
    }
    const label = count ? this.#ui.words.newMessages(count) : this.#ui.words.toEnd;
    this.#pill.hidden = this.#keeper.stuck;
    this.#pill.classList.toggle("new", count > 0);
    if (this.#pill.getAttribute("aria-label") === label) return;
    this.#pill.setAttribute("aria-label", label);
    this.#pill.replaceChildren(...(count ? [label] : []), icon("down"));
  }

  /** @param {Event} event */
  #point(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".message"));
    const message = row && this.#thread.messages.find(({ key }) => this.#keyed.node(key) === row);
    if (row && message) this.#toolbar.attach(row, message);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const row = /** @type {Element} */ (event.target).closest(".message");
    if (!row || event.defaultPrevented) return;
    if (event.key === "Enter" && event.target === row) {
      // Or the key would press the button that it has just reached.
      event.preventDefault();
      /** @type {HTMLElement | null} */ (row.querySelector(".bar button"))?.focus();
    }
    if (event.key !== "Escape") return;
    if (event.target === row) this.#ui.composer?.focus();
    else /** @type {HTMLElement} */ (row).focus();
  }

  /** Let go of what the browser holds. */
  stop() {
    this.#keeper.stop();
    this.#sentinel.disconnect();
    clearTimeout(this.#quiet);
  }
}

/**
 * The messages of a thread, scrolled.
 *
 * Promises that the list keeps its place while older messages come in above, follows new ones only when it is at its
 * end and counts them otherwise; that it draws the recent ones and more as they are scrolled to, so that thousands cost
 * what is seen; that what is new is announced and what is old is not.
 */

import { h } from "./dom.js";
import { DOWN, icon } from "./icons.js";
import { KeyedList } from "./keyed-list.js";
import { later } from "./later.js";
import { drawRow, looksSame } from "./message-view.js";
import { rows } from "./rows.js";
import { ScrollKeeper } from "./scroll-keeper.js";

/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */
/** @typedef {import("../core/thread.js").Thread} Thread */
/** @typedef {import("./list-tools.js").ListTools} ListTools */
/** @typedef {import("./rows.js").Row} Row */

/** Drawn at first, and again when the reader is back at the end. */
const RECENT = 100;
/** More than this, at the end, and the oldest are taken away. */
const DRAWN_MAX = 200;
/** Until additions of the list are announced again. */
const QUIET_MS = 500;

export class MessageList {
  ui;
  thread;
  #unreadAfter;
  above = h("div", { class: "above" });
  rows = h("ol", { class: "rows", role: "list" });
  #pill = h("button", { class: "pill", hidden: true, onclick: () => this.toEnd() });
  scroller;
  #keyed;
  keeper;
  /** Drawn from this seq on. */ from = -1;
  /** Everything up to here was at the end when the reader was. */ #seen = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #quiet;
  /** @type {ReturnType<typeof setTimeout>} */ #idle;
  /** @type {Promise<void> | undefined} */ #equipped;
  /** @type {ListTools | null} */ #tools = null;
  node;

  /** @param {ThreadElement} ui @param {Thread} thread @param {number | null} unreadAfter where the divider goes */
  constructor(ui, thread, unreadAfter) {
    this.ui = ui;
    this.thread = thread;
    this.#unreadAfter = unreadAfter;
    const content = h("div", {}, this.above, this.rows);
    this.scroller = h("div", { class: "scroller", role: "log", tabindex: 0, "aria-live": "off", "aria-label": ui.words.messages }, content);
    this.node = h("div", { class: "stage" }, this.scroller, this.#pill);
    this.#keyed = new KeyedList(this.rows, (/** @type {Row} */ row) => {
      const node = h("li", { tabindex: row.message ? -1 : null });
      drawRow(ui, node, row);
      return node;
    }, (node, row, before, force) => {
      if (!force && looksSame(row, before)) return;
      drawRow(ui, node, row);
      if (row.message) this.#tools?.renew(node, row.message);
    });
    this.keeper = new ScrollKeeper(this.scroller, content, ".message", () => this.#tell());
    // After what is to be seen.
    this.#idle = setTimeout(() => this.#equip());
  }

  /** Draw what the thread has now. @param {boolean} [force] also what is the same */
  render(force = false) {
    const { messages, caughtUp } = this.thread;
    const { words } = this.ui;
    const opening = this.from < 0 && messages.length > 0;
    const newest = messages.at(-1);
    // What one has just sent is looked at, wherever one was.
    if (newest?.pending && !this.rowOf(newest.key)) this.keeper.stuck = true;
    this.#trim(opening);
    this.#draw(force);
    if (opening) this.#open();
    this.above.textContent = messages.length ? "" : caughtUp ? words.noMessages : words.loading;
    this.#tools?.refresh();
    this.#tell();
  }
  toEnd() {
    this.keeper.toEnd();
    this.render();
    /** @type {HTMLElement | null} */ (this.rows.lastElementChild)?.focus({ preventScroll: true });
  }

  /** @param {string} messageId */
  async jump(messageId) {
    await this.#equip();
    return this.#tools?.jump(messageId);
  }

  /** The row of a message. @param {string} key */
  rowOf(key) {
    return this.#keyed.node(key);
  }

  get oldest() {
    return this.thread.messages[0]?.seq ?? 0;
  }

  /** More of what is old. @param {number} seq */
  drawFrom(seq) {
    this.#hush();
    this.from = seq;
    this.#draw(false);
  }

  get #drawn() {
    return this.thread.messages.filter(({ pending, seq }) => pending || seq >= this.from);
  }

  /** @param {boolean} force */
  #draw(force) {
    const { calendar, me } = this.ui;
    this.keeper.keep(() => this.#keyed.render(rows(this.#drawn, calendar, { unreadAfter: this.#unreadAfter, me }), force));
  }

  /** @param {boolean} opening */
  #trim(opening) {
    if (opening || (this.keeper.stuck && this.#drawn.length > DRAWN_MAX)) this.from = this.thread.messages.at(-RECENT)?.seq ?? this.oldest;
  }

  /** The first messages are here: begin where reading begins. */
  #open() {
    const divider = this.rowOf("unread");
    if (divider) {
      this.scroller.scrollTop = divider.offsetTop - 48;
      this.keeper.settle();
    } else this.keeper.toEnd();
    this.#seen = this.#unreadAfter ?? this.thread.lastSeq;
    this.#hush();
  }

  /** What is drawn now is old. */
  #hush() {
    this.scroller.setAttribute("aria-live", "off");
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.scroller.setAttribute("aria-live", "polite"), QUIET_MS);
  }

  /** What is new below. */
  #tell() {
    const { messages, lastSeq } = this.thread;
    if (this.keeper.stuck) this.#seen = lastSeq;
    let count = 0;
    for (let at = messages.length - 1; at >= 0; at -= 1) {
      const { pending, seq, senderId } = messages[at];
      if (!pending && seq <= this.#seen) break;
      if (senderId !== this.ui.me) count += 1;
    }
    const label = count ? this.ui.words.newMessages(count) : this.ui.words.toEnd;
    this.#pill.hidden = this.keeper.stuck;
    this.#pill.classList.toggle("new", count > 0);
    if (this.#pill.getAttribute("aria-label") === label) return;
    this.#pill.setAttribute("aria-label", label);
    this.#pill.replaceChildren(...(count ? [label] : []), icon(DOWN));
  }

  #equip() {
    return (this.#equipped ??= later(() => import("./list-tools.js")).then(({ ListTools }) => {
      if (this.scroller.isConnected) this.#tools = new ListTools(this);
    }));
  }

  /** Let go of what the browser holds. */
  stop() {
    this.keeper.stop();
    this.#tools?.stop();
    clearTimeout(this.#quiet);
    clearTimeout(this.#idle);
  }
}

/**
 * What one does in a list of messages: scroll back, jump to one, walk through them by keys, act on them.
 *
 * Promises that older messages are drawn, or fetched, before the reader is there; that a jump reaches messages which have
 * not been fetched yet; that one message can be reached with Tab, and from it all others and what can be done with them.
 * Nothing of this is needed to see the newest messages, so it is loaded after them.
 */

import { MessageToolbar } from "./message-toolbar.js";
import { Roving } from "./roving.js";
import { dress } from "./sheet.js";

/** @typedef {import("./message-list.js").MessageList} MessageList */

/** Drawn or fetched at a time. */
const PAGE = 50;
/** How many pages a jump to an old message may fetch, and how large they are. */
const [JUMP_PAGES, JUMP_PAGE] = [20, 200];
/** Until history is asked for again when the server was away. */
const AGAIN_MS = 5000;

const STYLE = `
.found .bubble{animation:found 1.6s ease-out}
@keyframes found{0%,40%{box-shadow:0 0 0 3px var(--_idle)}}
`;

export class ListTools {
  #list;
  #toolbar;
  #roving;
  #sentinel;
  #busy = false;
  #life = new AbortController();

  /** @param {MessageList} list */
  constructor(list) {
    const { ui, scroller, rows } = list;
    this.#list = list;
    dress(scroller.getRootNode(), STYLE);
    this.#toolbar = new MessageToolbar(ui);
    this.#roving = new Roving(rows, ".message", { fromEnd: true });
    this.#roving.refresh();
    this.#sentinel = new IntersectionObserver(([entry]) => entry.isIntersecting && this.#more(), {
      root: scroller, rootMargin: "400px 0px 0px",
    });
    this.#look();
    const { signal } = this.#life;
    for (const type of ["focusin", "mouseover", "click"]) {
      scroller.addEventListener(type, ({ target }) => this.#point(/** @type {Element} */ (target).closest(".message")), { signal });
    }
    scroller.addEventListener("mouseleave", () => this.#toolbar.attach(null), { signal });
    scroller.addEventListener("keydown", (event) => this.#key(event), { signal });
    // One may have been pointing for a while.
    this.#point(scroller.querySelector(".message:is(:hover, :focus-within)"));
  }

  /** After the messages have changed. */
  refresh() {
    this.#roving.refresh();
    this.#look();
  }

  /** After a message was drawn again. @param {HTMLElement} row @param {import("../core/types.js").Message} message */
  renew(row, message) {
    this.#toolbar.renew(row, message);
  }

  stop() {
    this.#life.abort();
    this.#sentinel.disconnect();
  }

  /** Show a message, fetched if need be. @param {string} messageId */
  async jump(messageId) {
    const list = this.#list;
    const { ui, thread, keeper, scroller } = list;
    const seq = Number(messageId.slice(messageId.lastIndexOf("~") + 1));
    keeper.stuck = false;
    for (let page = 0; page < JUMP_PAGES && list.oldest > seq && thread.hasOlder; page += 1) {
      await ui.attempt(thread.loadOlder(JUMP_PAGE));
    }
    const message = thread.messages.find(({ id }) => id === messageId);
    if (!message) return;
    list.drawFrom(Math.min(list.from, seq));
    const node = list.rowOf(message.key);
    if (!node) return;
    scroller.scrollTop = node.offsetTop - (scroller.clientHeight - node.offsetHeight) / 2;
    node.focus({ preventScroll: true });
    node.classList.add("found");
    node.addEventListener("animationend", () => node.classList.remove("found"), { once: true });
  }

  /** The beginning of what is drawn is near. */
  async #more() {
    const list = this.#list;
    const { ui, thread, above } = list;
    const undrawn = thread.messages.findIndex(({ seq }) => seq === list.from);
    if (this.#busy || list.from < 0 || (undrawn <= 0 && !thread.hasOlder)) return;
    this.#busy = true;
    let went = true;
    if (undrawn > 0) list.drawFrom(thread.messages[Math.max(0, undrawn - PAGE)].seq);
    else {
      list.from = 0;
      above.textContent = ui.words.loading;
      went = (await ui.attempt(thread.loadOlder(PAGE))) !== undefined;
      above.textContent = "";
      list.drawFrom(list.oldest);
    }
    // It may still be; when the server is away, that is not asked at once.
    setTimeout(() => {
      this.#busy = false;
      this.#look();
    }, went ? 0 : AGAIN_MS);
  }

  /** Is the beginning in sight? An observer tells when it is first asked, and then of changes only. */
  #look() {
    this.#sentinel.disconnect();
    if (!this.#life.signal.aborted) this.#sentinel.observe(this.#list.above);
  }

  /** @param {Element | null} row */
  #point(row) {
    const message = row && this.#list.thread.messages.find(({ key }) => this.#list.rowOf(key) === row);
    if (message) this.#toolbar.attach(/** @type {HTMLElement} */ (row), message);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".message"));
    if (!row || event.defaultPrevented) return;
    if (event.key === "Enter" && event.target === row) {
      // Or the key would press the button that it has just reached.
      event.preventDefault();
      /** @type {HTMLElement | null} */ (row.querySelector(".bar button"))?.focus();
    }
    if (event.key !== "Escape") return;
    if (event.target === row) this.#list.ui.composer?.focus();
    else row.focus();
  }
}

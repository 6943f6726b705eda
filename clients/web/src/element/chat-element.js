/**
 * What both elements have: a client, names, words, a language and a theme.
 *
 * Promises that a client made from attributes is closed with the element and one that was given is left alone, that
 * properties set before the element was defined count, and that it can be loaded where there is no DOM.
 */

import { ChatClient } from "../index.js";
import { Calendar, regional } from "./day.js";
import { dress } from "./sheet.js";
import { ENGLISH } from "./strings.js";
import { THEME } from "./theme.js";

/** @typedef {Record<string, string> | Map<string, string>} Names */

/** How often what tells the time is drawn again. */
const MINUTE_MS = 60e3;

const Host = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class ChatElement extends Host {
  static observedAttributes = ["url", "token", "user-id", "thread-id", "selected", "lang"];

  words = ENGLISH;
  calendar = new Calendar();
  /** @type {ChatClient | null} */ #client = null;
  #own = false;
  /** @type {Partial<typeof ENGLISH>} */ #strings = ENGLISH;
  /** @type {Names} */ #names = {};
  /** @type {((userId: string) => string | undefined) | null} */ #nameOf = null;
  /** Ends with the connection to the document, and all listeners with it. */ #life = new AbortController();
  /** Where everything is drawn. */ box = /** @type {HTMLElement} */ (/** @type {unknown} */ (null));

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.box = document.createElement("section");
    this.box.className = "box";
    root.append(this.box);
    dress(root, THEME);
  }

  get client() {
    return this.#client;
  }
  set client(client) {
    if (client === this.#client) return;
    this.#stop();
    this.#client = client;
    this.#start();
  }

  get names() {
    return this.#names;
  }
  set names(names) {
    this.#names = names ?? {};
    this.redraw(true);
  }

  get nameOf() {
    return this.#nameOf;
  }
  set nameOf(nameOf) {
    this.#nameOf = nameOf;
    this.redraw(true);
  }

  get strings() {
    return this.#strings;
  }
  /** @param {Partial<typeof ENGLISH>} strings */
  set strings(strings) {
    if (strings === this.#strings) return;
    this.#strings = strings;
    this.words = { ...ENGLISH, ...strings };
    this.restart();
  }

  /** @param {string} attribute @param {string | null} value */
  setOrRemove(attribute, value) {
    if (value) this.setAttribute(attribute, value);
    else this.removeAttribute(attribute);
  }

  get me() {
    return this.#client?.me?.userId ?? this.getAttribute("user-id") ?? "";
  }

  /** @param {string} userId */
  name(userId) {
    const names = this.#names;
    const known = names instanceof Map ? names.get(userId) : Object.hasOwn(names, userId) ? names[userId] : undefined;
    return this.#nameOf?.(userId) ?? known ?? userId;
  }

  /** @param {string} userId */
  nameOrYou(userId) {
    return userId === this.me ? this.words.you : this.name(userId);
  }

  connectedCallback() {
    for (const property of ["client", "names", "nameOf", "strings", "threadId", "selected"]) {
      if (!Object.hasOwn(this, property)) continue;
      const self = /** @type {any} */ (this);
      const value = self[property];
      delete self[property];
      self[property] = value;
    }
    this.#start();
  }

  disconnectedCallback() {
    this.#stop();
  }

  /** @param {string} name @param {string | null} [before] @param {string | null} [after] */
  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (["url", "token", "user-id"].includes(name) && this.#own) this.#stop();
    this.restart();
  }

  /** A minute has passed. @param {boolean} force names, or the day, are others: also draw what seems to be the same */
  redraw(force) {
    void force;
  }

  /** Begin anew. */
  restart() {
    if (!this.isConnected) return;
    this.#end();
    this.#start();
  }

  #start() {
    if (!this.isConnected) return;
    this.#end();
    this.calendar = new Calendar(regional(this.closest("[lang]")?.getAttribute("lang"), navigator.languages));
    const [url, token, userId] = ["url", "token", "user-id"].map((name) => this.getAttribute(name) ?? undefined);
    if (!this.#client && (url || token || userId)) {
      this.#own = true;
      this.#client = new ChatClient({ url, token, userId });
      // What goes wrong is told by its events.
      this.#client.connect().catch(() => {});
    }
    this.#life = new AbortController();
    if (!this.#client) return;
    const { signal } = this.#life;
    let { today } = this.calendar;
    const minutes = setInterval(() => this.redraw(today !== (today = this.calendar.today)), MINUTE_MS);
    signal.addEventListener("abort", () => clearInterval(minutes));
    this.attach(this.#client, signal);
  }

  #stop() {
    this.#end();
    if (this.#own) this.#client?.close();
    if (this.#own) this.#client = null;
    this.#own = false;
  }

  #end() {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.detach();
  }

  /** @param {ChatClient} client @param {AbortSignal} signal */
  attach(client, signal) {
    void client, signal;
  }

  detach() {}
}

/**
 * @param {EventTarget} target @param {string[]} types @param {AbortSignal} signal
 * @param {(detail: any, type: string) => void} listener
 */
export function listen(target, types, signal, listener) {
  const heard = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail, event.type);
  for (const type of types) target.addEventListener(type, heard, { signal });
}

/**
 * <chatterbus-thread thread-id="...">: a thread to read and write in.
 *
 * Promises to follow the thread for as long as it is in the document, to count it as read only while it can be seen, and
 * to say what went wrong where it is seen and heard. Attributes: thread-id, theme (light, dark), lang, label
 * (what a screen reader calls it; the title), and url, token, user-id for a client of its own. Properties: client, names,
 * nameOf, strings. Slots: start and end, in the header.
 */

import { ChatElement, listen } from "./chat-element.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection-banner.js";
import { h } from "./dom.js";
import { later } from "./later.js";
import { MessageList } from "./message-list.js";
import { dress } from "./sheet.js";
import { THREAD_STYLE } from "./style-thread.js";
import { ThreadHeader } from "./thread-header.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("../core/thread.js").Thread} Thread */
/** @typedef {import("../core/client.js").ChatClient} ChatClient */

/** How long a complaint is shown. */
const COMPLAINT_MS = 8000;

export class ThreadElement extends ChatElement {
  /** @type {Thread | null} */ thread = null;
  /** @type {Composer | null} */ composer = null;
  /** @type {MessageList | null} */ #list = null;
  /** What was being written in each thread. @type {Map<string, string>} */ #drafts = new Map();
  #alert = h("p", { class: "alert", role: "alert" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #complaint;
  /** @type {typeof import("./attachments-view.js").attachmentsView | undefined} */ #view;
  /** @type {Promise<void> | undefined} */ #viewing;

  constructor() {
    super();
    dress(this.box.getRootNode(), THREAD_STYLE);
  }

  get threadId() {
    return this.getAttribute("thread-id");
  }
  set threadId(id) {
    this.setOrRemove("thread-id", id);
  }

  /** One's own role here. */
  get ownRole() {
    return /** @type {any} */ (this.thread?.members.get(this.me)?.role ?? null);
  }

  get readOnly() {
    return this.ownRole === "reader";
  }

  /** Whether senders need names. */
  get many() {
    return (this.thread?.members.size ?? 0) > 2;
  }

  /** @param {ChatClient} client @param {AbortSignal} signal */
  attach(client, signal) {
    const id = this.threadId;
    if (!id) return;
    const thread = (this.thread = client.thread(id));
    const header = new ThreadHeader(this);
    const banner = new ConnectionBanner(this);
    const typing = h("p", { class: "typing", role: "status" });
    const composer = (this.composer = new Composer(this));
    const note = h("p", { class: "note" }, this.words.readOnly);
    const unread = client.unread.get(id);
    let unreadAfter = unread?.unread ? unread.lastSeq - unread.unread : null;
    const main = h("div", { class: "main" }, banner.node);

    // Who one is, and how many others there are, may be known later than the first messages.
    let stage = "";
    const draw = (/** @type {boolean} */ force) => {
      const before = stage;
      stage = [this.me, this.many, this.ownRole].join();
      if (!this.#list && thread.messages.length + Number(thread.caughtUp)) {
        if (unreadAfter === null && thread.readSeq && thread.readSeq < thread.lastSeq) unreadAfter = thread.readSeq;
        this.#list = new MessageList(this, thread, unreadAfter);
        main.append(this.#list.node);
      }
      this.#list?.render(force || stage !== before);
      header.render(thread);
      banner.render();
      const names = thread.typing.map((userId) => this.name(userId));
      const said = names.length ? this.words.typing(names) : "";
      if (typing.textContent !== said) typing.textContent = said;
      composer.node.hidden = this.readOnly;
      note.hidden = !this.readOnly;
    };

    this.box.replaceChildren(header.node, main, typing, this.#alert, composer.node, note);
    composer.text = this.#drafts.get(id) ?? "";
    for (const type of ["dragover", "dragleave", "drop"]) {
      this.box.addEventListener(type, (event) => this.#drag(/** @type {DragEvent} */ (event)), { signal });
    }
    this.redraw = draw;
    listen(thread, ["change"], signal, () => draw(false));
    listen(client, ["state", "stale"], signal, () => draw(false));
    listen(client, ["presence"], signal, () => header.render(thread));
    listen(client, ["lost"], signal, ({ threadId }) => threadId === id && this.complain(this.words.lost, true));
    listen(client, ["signedout"], signal, () => this.complain(this.words.signedOut, true));
    this.complain("", true);
    const seen = new IntersectionObserver(([entry]) => void (thread.shown = entry.isIntersecting));
    seen.observe(this);
    signal.addEventListener("abort", () => {
      seen.disconnect();
      thread.shown = true;
      this.#drafts.set(id, composer.text);
    });
    thread.open();
    draw(false);
  }

  detach() {
    this.#list?.stop();
    this.composer?.stop();
    this.thread?.close();
    this.#list = this.composer = this.thread = null;
    this.redraw = () => {};
    this.box.replaceChildren();
  }

  /** Say what went wrong. @param {string} text @param {boolean} [forGood] */
  complain(text, forGood = false) {
    clearTimeout(this.#complaint);
    this.#alert.textContent = text;
    if (!forGood) this.#complaint = setTimeout(() => this.complain("", true), COMPLAINT_MS);
  }

  /**
   * What was promised, or `failed` after a complaint.
   * @template T, [F=undefined]
   * @param {Promise<T> | undefined} promised @param {F} [failed] @returns {Promise<T | F | undefined>}
   */
  async attempt(promised, failed) {
    try {
      return await promised;
    } catch (error) {
      this.complain(/** @type {Error} */ (error).message);
      return failed;
    }
  }

  /** @param {Message} message @param {string} emoji @param {boolean} on */
  react(message, emoji, on) {
    this.attempt(this.thread?.react(message.id, emoji, on));
  }

  /** How files look is loaded with the first message that has some. @param {Message["attachments"]} attachments */
  files(attachments) {
    this.#viewing ??= later(() => import("./attachments-view.js")).then(({ attachmentsView }) => {
      this.#view = attachmentsView;
      this.redraw(true);
    });
    return this.#view?.(this, attachments);
  }

  /** @param {string} messageId */
  jump(messageId) {
    return this.#list?.jump(messageId);
  }

  /** @param {DragEvent} event */
  #drag(event) {
    const { type, dataTransfer } = event;
    if (!dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.box.classList.toggle("dropping", type === "dragover");
    if (type === "drop") this.composer?.addFiles(dataTransfer.files);
  }
}

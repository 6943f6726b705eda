/**
 * Where messages are written.
 *
 * Promises that Enter sends and Shift+Enter breaks the line, that nothing is sent while an input method composes, and that
 * Escape leaves a reply or an edit. How those look, and files on their way, are loaded when there are any.
 */

import { button, h } from "./dom.js";
import { ATTACH, SEND } from "./icons.js";

/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */
/** @typedef {import("./composer-mode.js").ComposerMode} ComposerMode */

/** The protocol's; a server may say less. */
const CONTENT_MAX = 16_000;

/** The members whom a text names with @. @param {string} text @param {readonly {id: string, name: string}[]} people */
export function mentionsIn(text, people) {
  /** @param {string} name */
  const named = (name) => new RegExp(`@${name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}(?![\\p{L}\\p{N}])`, "iu").test(text);
  return people.filter(({ id, name }) => named(id) || named(name)).map(({ id }) => id);
}

export class Composer {
  #ui;
  /** @type {import("./uploads.js").Uploads | null} */ #uploads = null;
  /** @type {ComposerMode | null} */ #mode = null;
  #text;
  #send;
  #attach;
  node;

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
    const { words } = ui;
    this.#text = h("textarea", {
      rows: 1, dir: "auto", enterkeyhint: "send", placeholder: words.compose, "aria-label": words.compose,
      maxlength: ui.client?.limits?.content ?? CONTENT_MAX,
      oninput: () => this.#typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      onblur: () => ui.thread?.setTyping(false), onpaste: (/** @type {ClipboardEvent} */ event) => this.#paste(event),
    });
    const picked = h("input", { type: "file", multiple: true, hidden: true, "aria-label": words.attach, onchange: () => {
      this.addFiles(picked.files ?? []);
      picked.value = "";
    } });
    this.#attach = button(words.attach, () => picked.click(), { icon: ATTACH });
    this.#send = button(words.send, () => this.#submit(), { icon: SEND });
    this.#send.classList.add("send");
    this.node = h("div", { class: "composer" }, h("div", { class: "line" }, this.#attach, picked, this.#text, this.#send));
    this.#fit();
  }

  /** What is being written, but for an edit. */
  get text() {
    return this.#mode?.kept ?? this.#text.value;
  }
  set text(text) {
    this.#text.value = text;
    this.#fit();
  }

  get mode() {
    return this.#mode;
  }
  set mode(mode) {
    this.#mode?.node.remove();
    this.#mode = mode;
    if (mode) this.node.prepend(mode.node);
    this.#attach.disabled = mode?.edits ?? false;
    this.#fit();
  }

  focus() {
    this.#text.focus();
  }

  /** @param {Iterable<File>} files */
  async addFiles(files) {
    // The browser takes them away with the event.
    const taken = [...files];
    if (this.#mode?.edits || !taken.length) return;
    this.#send.disabled = true;
    const loaded = await this.#ui.attempt(import("./uploads.js"));
    if (loaded && this.#ui.composer === this) {
      this.#uploads ??= new loaded.Uploads(this.#ui, () => this.#fit());
      this.node.lastChild?.before(this.#uploads.node);
      this.#uploads.add(taken);
    }
    this.#fit();
  }

  /** Cancel what is on its way. */
  stop() {
    this.#uploads?.clear();
  }

  #typed() {
    this.#fit();
    if (!this.#mode?.edits) this.#ui.thread?.setTyping(this.#text.value.trim() !== "");
  }

  /** As high as the text, up to what the style allows. */
  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
    this.#send.disabled = this.#uploads?.busy || (!this.#text.value.trim() && (this.#uploads?.empty ?? true));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // Safari ends the composition before the key that ended it; 229 is that key's code everywhere.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) this.#submit();
    else if (event.key === "Escape" && this.#mode) {
      event.stopPropagation();
      this.#mode.leave();
    } else if (event.key === "ArrowUp" && !this.#text.value) {
      const last = this.#ui.thread?.messages.filter(({ senderId, pending, deleted }) => senderId === this.#ui.me && !pending && !deleted).at(-1);
      if (!last) return;
      this.#ui.attempt(import("./composer-mode.js").then(({ ComposerMode }) => new ComposerMode(this.#ui, last, true)));
    } else return;
    event.preventDefault();
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    this.addFiles(files);
  }

  #submit() {
    const { thread, me } = this.#ui;
    const content = this.#text.value.trim();
    if (!thread || this.#send.disabled) return;
    if (this.#mode?.edits) return void this.#mode.submit(content);
    const attachments = this.#uploads?.take() ?? [];
    if (!content && !attachments.length) return;
    const replyToId = this.#mode?.replyToId;
    const people = [...thread.members.keys()].filter((id) => id !== me).map((id) => ({ id, name: this.#ui.name(id) }));
    this.mode = null;
    this.text = "";
    this.focus();
    thread.setTyping(false);
    thread.send({
      content, replyToId, attachments, mentions: mentionsIn(content, people), messageType: content ? "text" : "file",
      attachmentIds: attachments.map(({ id }) => id),
    });
  }
}

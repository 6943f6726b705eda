/**
 * Where messages are written, replied to and edited.
 *
 * Promises that Enter sends and Shift+Enter breaks the line, that nothing is sent while an input method composes, that
 * Escape leaves a reply or an edit, and that a text is not lost when an edit fails.
 */

import { button, h } from "./dom.js";
import { Uploads } from "./uploads.js";

/** @typedef {import("../core/types.js").Message} Message */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

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
  #uploads;
  #text;
  #send;
  #attach;
  #picked;
  #mode = h("div", { class: "mode", hidden: true });
  /** @type {Message | null} */ #replying = null;
  /** @type {Message | null} */ #editing = null;
  /** What was being written before an edit. */ #kept = "";
  node;

  /** @param {ThreadElement} ui */
  constructor(ui) {
    this.#ui = ui;
    const { words } = ui;
    this.#uploads = new Uploads(ui, () => this.#fit());
    this.#text = h("textarea", {
      rows: 1, dir: "auto", enterkeyhint: "send", placeholder: words.compose, "aria-label": words.compose,
      maxlength: ui.client?.limits?.content ?? CONTENT_MAX,
      oninput: () => this.#typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      onblur: () => ui.thread?.setTyping(false), onpaste: (/** @type {ClipboardEvent} */ event) => this.#paste(event),
    });
    this.#picked = h("input", { type: "file", multiple: true, hidden: true, "aria-label": words.attach, onchange: () => {
      this.#uploads.add(this.#picked.files ?? []);
      this.#picked.value = "";
    } });
    this.#attach = button(words.attach, () => this.#picked.click(), { icon: "attach" });
    this.#send = button(words.send, () => this.#submit(), { icon: "send" });
    this.#send.classList.add("send");
    this.node = h("div", { class: "composer" }, this.#mode, this.#uploads.node,
      h("div", { class: "line" }, this.#attach, this.#picked, this.#text, this.#send));
    this.#fit();
  }

  get text() {
    return this.#editing ? this.#kept : this.#text.value;
  }
  set text(text) {
    this.#text.value = text;
    this.#fit();
  }

  focus() {
    this.#text.focus();
  }

  /** @param {Iterable<File>} files */
  addFiles(files) {
    if (!this.#editing) this.#uploads.add(files);
  }

  /** @param {Message} message */
  reply(message) {
    this.#leave();
    this.#replying = message;
    this.#enter(this.#ui.words.replyingTo(this.#ui.nameOrYou(message.senderId)), message.content);
  }

  /** @param {Message} message */
  edit(message) {
    this.#leave();
    this.#editing = message;
    this.#kept = this.#text.value;
    this.text = message.content;
    this.#enter(this.#ui.words.editing, message.content);
  }

  /** Cancel what is on its way. */
  stop() {
    this.#uploads.clear();
  }

  /** @param {string} title @param {string} about */
  #enter(title, about) {
    this.#mode.replaceChildren(
      h("div", { class: "quote" }, h("bdi", { class: "name" }, title), h("span", { class: "said", dir: "auto" }, about)),
      button(this.#ui.words.cancel, () => this.#leave(), { icon: "close" }));
    this.#mode.hidden = false;
    this.#attach.disabled = this.#editing !== null;
    this.#fit();
    this.focus();
  }

  #leave() {
    if (this.#editing) this.text = this.#kept;
    this.#editing = this.#replying = null;
    this.#mode.hidden = true;
    this.#attach.disabled = false;
    this.#fit();
    this.focus();
  }

  #typed() {
    this.#fit();
    if (!this.#editing) this.#ui.thread?.setTyping(this.#text.value.trim() !== "");
  }

  /** As high as the text, up to what the style allows. */
  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
    this.#send.disabled = this.#uploads.busy || (!this.#text.value.trim() && this.#uploads.empty);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // Safari ends the composition before the key that ended it; 229 is that key's code everywhere.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && (this.#replying || this.#editing)) {
      event.preventDefault();
      event.stopPropagation();
      this.#leave();
    } else if (event.key === "ArrowUp" && !this.#text.value) {
      const last = [...(this.#ui.thread?.messages ?? [])].reverse().find((message) => message.senderId === this.#ui.me && !message.pending && !message.deleted);
      if (!last) return;
      event.preventDefault();
      this.edit(last);
    }
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    this.addFiles(files);
  }

  async #submit() {
    const { thread } = this.#ui;
    const content = this.#text.value.trim();
    if (!thread || this.#send.disabled) return;
    if (this.#editing) {
      const edited = this.#editing;
      const failed = Symbol("failed");
      const answer = content === edited.content || (await this.#ui.attempt(thread.edit(edited.id, content), failed));
      if (answer !== failed && this.#editing === edited) this.#leave();
      return;
    }
    const attachments = this.#uploads.take();
    if (!content && !attachments.length) return;
    const replyToId = this.#replying?.id;
    const people = [...thread.members.keys()].filter((id) => id !== this.#ui.me).map((id) => ({ id, name: this.#ui.name(id) }));
    const mentions = mentionsIn(content, people);
    this.#text.value = "";
    this.#leave();
    thread.setTyping(false);
    thread.send({
      content, replyToId, attachments, mentions, messageType: content ? "text" : "file",
      attachmentIds: attachments.map(({ id }) => id),
    });
  }
}

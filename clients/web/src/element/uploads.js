/**
 * Files on their way into the next message.
 *
 * Promises progress for each, a way to cancel it, and that a file which failed says why and is not sent.
 */

import { button, h } from "./dom.js";
import { CLOSE, FILE } from "./icons-acts.js";
import { icon } from "./icons.js";
import { dress } from "./sheet.js";

/** @typedef {import("../core/types.js").AttachmentState} AttachmentState */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

/** The protocol's; what is more is not taken. */
const FILES_MAX = 10;

const STYLE = `
.uploads{display:flex;flex-wrap:wrap;gap:6px;padding-block-end:6px}
.uploads:empty{display:none}
.uploads li{display:flex;flex-wrap:wrap;align-items:center;gap:8px;padding:4px 4px 4px 10px;border-radius:14px;background:var(--_soft);font-size:13px;max-inline-size:100%}
.uploads bdi{max-inline-size:14em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.uploads img{inline-size:32px;block-size:32px;border-radius:8px;object-fit:cover;margin-inline-start:-4px}
.uploads .icon{inline-size:28px;block-size:28px}
progress{inline-size:64px;block-size:6px;accent-color:var(--_accent)}
`;

export class Uploads {
  #ui;
  #onchange;
  /** @type {Map<HTMLElement, {abort: AbortController, done?: AttachmentState, failed?: boolean}>} */
  #entries = new Map();
  node = h("ul", { class: "uploads", role: "list" });

  /** @param {ThreadElement} ui @param {() => void} onchange */
  constructor(ui, onchange) {
    this.#ui = ui;
    this.#onchange = onchange;
    dress(ui.box.getRootNode(), STYLE);
  }

  get empty() {
    return !this.#entries.size;
  }

  /** Whether a file is still on its way. */
  get busy() {
    return [...this.#entries.values()].some(({ done, failed }) => !done && !failed);
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) if (this.#entries.size < FILES_MAX) this.#upload(file);
    this.#onchange();
  }

  /** What can be sent; the list is empty afterwards. */
  take() {
    const done = [...this.#entries.values()].flatMap((entry) => entry.done ?? []);
    this.clear();
    return done;
  }

  clear() {
    for (const { abort } of this.#entries.values()) abort.abort();
    this.#entries.clear();
    this.node.replaceChildren();
  }

  /** @param {File} file */
  async #upload(file) {
    const { words, thread } = this.#ui;
    const abort = new AbortController();
    const entry = { abort };
    const progress = h("progress", { max: 1, value: 0, "aria-label": words.uploading(file.name) });
    const item = h("li", {}, picture(file), h("bdi", {}, file.name), progress,
      button(words.removeFile(file.name), () => {
        abort.abort();
        this.#entries.delete(item);
        item.remove();
        this.#onchange();
        this.#ui.composer?.focus();
      }, { icon: CLOSE }));
    this.#entries.set(item, entry);
    this.node.append(item);
    try {
      const onProgress = (/** @type {number} */ sent, /** @type {number} */ total) => void (progress.value = total ? sent / total : 0);
      const done = await thread?.upload(file, { signal: abort.signal, onProgress });
      Object.assign(entry, { done });
    } catch (error) {
      Object.assign(entry, { failed: true });
      if (abort.signal.aborted) return;
      item.append(h("small", { class: "failure", role: "alert" }, /** @type {Error} */ (error).message));
    }
    progress.remove();
    this.#onchange();
  }
}

/** @param {File} file */
function picture(file) {
  if (!/^image\/(png|jpeg|gif|webp)$/.test(file.type)) return icon(FILE);
  const url = URL.createObjectURL(file);
  const done = () => URL.revokeObjectURL(url);
  return h("img", { src: url, alt: "", onload: done, onerror: done });
}

/**
 * A file of a message, opened: a picture is shown, anything else downloaded.
 *
 * Promises that the dialog gives the focus back, and that a file keeps its name.
 */

import { show } from "./attachments-view.js";
import { button, h } from "./dom.js";
import { CLOSE } from "./icons-acts.js";
import { DOWN } from "./icons.js";
import { dress } from "./sheet.js";

/** @typedef {import("../core/types.js").AttachmentState} AttachmentState */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

/** Long enough for a browser to have begun a download. */
const DOWNLOAD_MS = 60e3;

const STYLE = `
dialog{margin:auto;padding:0;border:0;background:none;max-inline-size:96vw;max-block-size:96vh}
dialog::backdrop{background:#000c}
dialog img{display:block;max-inline-size:92vw;max-block-size:88vh;border-radius:8px;min-inline-size:120px;min-block-size:120px}
.tools{position:fixed;inset-block-start:12px;inset-inline-end:12px;display:flex;gap:8px}
.tools .icon{background:#000a;color:#fff}
`;

/** @param {ThreadElement} ui @param {AttachmentState} file */
export async function openFile(ui, file) {
  return file.thumbnailUrl ? view(ui, file) : download(ui, file);
}

/** @param {ThreadElement} ui @param {AttachmentState} file */
async function download(ui, file) {
  const url = await ui.attempt(ui.thread?.attachmentUrl(file));
  if (!url) return;
  h("a", { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS);
}

/** @param {ThreadElement} ui @param {AttachmentState} file */
function view(ui, file) {
  const { words } = ui;
  const picture = h("img", { alt: file.name });
  const dialog = h("dialog", { "aria-label": file.name, onclose: () => dialog.remove() },
    h("div", { class: "tools" },
      button(words.download(file.name), () => download(ui, file), { icon: DOWN }),
      button(words.close, () => dialog.close(), { icon: CLOSE })),
    picture);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dress(ui.box.getRootNode(), STYLE);
  ui.box.append(dialog);
  dialog.showModal();
  show(ui, file, picture, false);
}

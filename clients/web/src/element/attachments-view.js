/**
 * The files of a message: pictures with thumbnails that are fetched when they come into view, others to download.
 *
 * Promises that a file's name is text and its bytes are never shown as anything but a picture, that space for a picture
 * is kept before it is here, and that the addresses of its bytes live no longer than they are needed.
 */

import { button, h } from "./dom.js";
import { icon } from "./icons.js";

/** @typedef {import("../core/types.js").AttachmentState} AttachmentState */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

const THUMBNAIL_PX = 280;
/** Long enough for a browser to have begun a download. */
const DOWNLOAD_MS = 60e3;

/** @param {string | undefined} locale @param {number} bytes */
export function fileSize(locale, bytes) {
  const [unit, size] = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const format = new Intl.NumberFormat(locale, { style: "unit", unit: String(unit), maximumFractionDigits: 1 });
  return format.format(Math.max(bytes / Number(size), 0.1));
}

/** @param {ThreadElement} ui @param {AttachmentState} file @param {HTMLImageElement} img @param {boolean} thumbnail */
async function show(ui, file, img, thumbnail) {
  const url = await ui.attempt(ui.thread?.attachmentUrl(file, { thumbnail }));
  if (!url) return;
  img.onload = img.onerror = () => URL.revokeObjectURL(url);
  img.src = url;
}

/** @param {ThreadElement} ui @param {AttachmentState} file */
async function download(ui, file) {
  const url = await ui.attempt(ui.thread?.attachmentUrl(file));
  if (!url) return;
  h("a", { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS);
}

/** @param {ThreadElement} ui @param {AttachmentState} file */
function open(ui, file) {
  const { words } = ui;
  const picture = h("img", { alt: file.name });
  const dialog = h("dialog", { "aria-label": file.name, onclose: () => dialog.remove() },
    h("div", { class: "tools" },
      button(words.download(file.name), () => download(ui, file), { icon: "down" }),
      button(words.close, () => dialog.close(), { icon: "close" })),
    picture);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  ui.box.append(dialog);
  dialog.showModal();
  show(ui, file, picture, false);
}

/** @param {ThreadElement} ui @param {AttachmentState} file */
function picture(ui, file) {
  const { width, height } = file;
  const scale = width && height ? Math.min(1, THUMBNAIL_PX / width, THUMBNAIL_PX / height) : 1;
  const size = width && height ? { width: Math.round(width * scale), height: Math.round(height * scale) } : {};
  const img = h("img", { alt: "", ...size });
  const seen = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    seen.disconnect();
    show(ui, file, img, true);
  }, { rootMargin: "300px" });
  seen.observe(img);
  return h("button", {
    class: "picture", "data-f": file.id, "aria-label": ui.words.openPicture(file.name), onclick: () => open(ui, file),
  }, img);
}

/** @param {ThreadElement} ui @param {readonly AttachmentState[]} files */
export function attachmentsView(ui, files) {
  return h("div", { class: "files" }, ...files.map((file) =>
    file.thumbnailUrl
      ? picture(ui, file)
      : h("button", {
          class: "file", "data-f": file.id,
          title: ui.words.download(file.name), onclick: () => download(ui, file),
        }, icon("file"), h("bdi", {}, file.name), h("small", {}, fileSize(ui.calendar.locale, file.sizeBytes))),
  ));
}

/**
 * The files of a message: pictures with thumbnails that are fetched when they are near, others as cards.
 *
 * Promises that a file's name is text and its bytes are never shown as anything but a picture, that space for a picture
 * is kept before it is here, and that the addresses of its bytes live no longer than they are needed. What opens a file
 * is loaded when one is opened.
 */

import { h } from "./dom.js";
import { FILE } from "./icons-acts.js";
import { icon } from "./icons.js";
import { dress } from "./sheet.js";

/** @typedef {import("../core/types.js").AttachmentState} AttachmentState */
/** @typedef {import("./thread-element.js").ThreadElement} ThreadElement */

const THUMBNAIL_PX = 280;

const STYLE = `
.files{display:flex;flex-wrap:wrap;align-items:flex-start;gap:6px;margin:0 -6px 4px}
.picture{border-radius:12px;overflow:hidden;background:color-mix(in srgb,currentColor 8%,transparent);max-inline-size:100%}
.picture img{display:block;max-inline-size:100%;block-size:auto;min-block-size:40px;object-fit:cover}
.file{display:grid;grid-template-columns:auto 1fr;column-gap:10px;align-items:center;padding:8px 14px 8px 10px;border-radius:12px;background:color-mix(in srgb,currentColor 7%,transparent);overflow-wrap:anywhere}
.file svg{grid-row:1/3}
.file small{color:var(--_muted)}
`;

/** @param {string | undefined} locale @param {number} bytes */
export function fileSize(locale, bytes) {
  const [unit, size] = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const format = new Intl.NumberFormat(locale, { style: "unit", unit: String(unit), maximumFractionDigits: 1 });
  return format.format(Math.max(bytes / Number(size), 0.1));
}

/** @param {ThreadElement} ui @param {AttachmentState} file @param {HTMLImageElement} img @param {boolean} thumbnail */
export async function show(ui, file, img, thumbnail) {
  const url = await ui.attempt(ui.thread?.attachmentUrl(file, { thumbnail }));
  if (!url) return;
  img.onload = img.onerror = () => URL.revokeObjectURL(url);
  img.src = url;
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
    // Against the page the margin would not count: the list clips what is near it.
  }, { root: ui.box.querySelector(".scroller"), rootMargin: "300px" });
  seen.observe(img);
  return img;
}

/** @param {ThreadElement} ui @param {readonly AttachmentState[]} files */
export function attachmentsView(ui, files) {
  const { words } = ui;
  dress(ui.box.getRootNode(), STYLE);
  return h("div", { class: "files" }, ...files.map((file) => {
    const { id, name, thumbnailUrl } = file;
    const label = (thumbnailUrl ? words.openPicture : words.download)(name);
    const opened = () => ui.attempt(import("./open-file.js").then(({ openFile }) => openFile(ui, file)));
    return h("button", {
      class: thumbnailUrl ? "picture" : "file", "data-f": id, "aria-label": thumbnailUrl && label, title: label, onclick: opened,
    }, ...(thumbnailUrl
      ? [picture(ui, file)]
      : [icon(FILE), h("bdi", {}, name), h("small", {}, h("bdi", {}, fileSize(ui.calendar.locale, file.sizeBytes)))]));
  }));
}

/**
 * Files of messages: up with progress, down with the token.
 *
 * Promises: an upload can be stopped by its signal and ends with the server's AttachmentState or a ChatError; the token
 * goes to our own gateway only, whatever a message says its file's address is.
 */

import { ChatError } from "./errors.js";
import { FILES } from "./http.js";
import { refusalOf } from "./refusal.js";

/** @typedef {import("./protocol.js").AttachmentState} AttachmentState */
/** @typedef {import("./types.js").UploadOptions} UploadOptions */

/**
 * @param {import("./http.js").Http} http @param {string} threadId @param {File | Blob} file @param {UploadOptions} options
 * @param {boolean} withProgress whether XMLHttpRequest may be used: fetch cannot tell how much has left
 * @returns {Promise<AttachmentState>}
 */
export async function upload(http, threadId, file, options, withProgress) {
  const query = { threadId, name: "name" in file ? file.name.slice(0, 255) : undefined };
  options.onProgress?.(0, file.size);
  const state = await (withProgress
    ? http.renewing((headers) => sendXhr(http.url(FILES, query), headers, file, options))
    : http.request(FILES, query, { method: "POST", body: file, signal: options.signal ?? new AbortController().signal }).then((r) => r.json()));
  options.onProgress?.(file.size, file.size);
  return state;
}

/** @param {import("./http.js").Http} http @param {AttachmentState} attachment @param {boolean} thumbnail @returns {Promise<string>} */
export async function blobUrl(http, attachment, thumbnail) {
  const path = `${FILES}/${encodeURIComponent(attachment.id)}`;
  const response = await http.request(path, { thumbnail: (thumbnail && !!attachment.thumbnailUrl) || undefined });
  return URL.createObjectURL(await response.blob());
}

/** @param {string} url @param {Record<string, string>} headers @param {Blob} file @param {UploadOptions} options @returns {Promise<AttachmentState>} */
function sendXhr(url, headers, file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new ChatError("ABORTED", "stopped"));
    const xhr = new XMLHttpRequest();
    const stop = () => xhr.abort();
    xhr.open("POST", url);
    xhr.responseType = "json";
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader("Content-Type", "application/octet-stream");
    xhr.upload.onprogress = (event) => onProgress?.(event.loaded, file.size);
    xhr.onload = () => (xhr.status < 300 && xhr.response ? resolve(xhr.response) : reject(refusalOf(xhr.status, xhr.response)));
    xhr.onerror = () => reject(new ChatError("NETWORK", "no answer", { retryable: true }));
    xhr.onabort = () => reject(new ChatError("ABORTED", "stopped"));
    xhr.onloadend = () => signal?.removeEventListener("abort", stop);
    signal?.addEventListener("abort", stop);
    xhr.send(file);
  });
}

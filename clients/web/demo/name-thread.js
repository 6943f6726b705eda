/**
 * A new thread's name: what was typed to open it. In development mode a thread is made by whoever opens it first, and has
 * no title; in a product the backend makes threads, and names them.
 *
 * Promises: only an owner names, once, and only a thread without a title. When it does not work the thread has none.
 */

import { nameOf } from "./people.js";

/** @param {any} thread @param {string} userId @param {typeof fetch} request @param {AbortSignal} signal */
export function nameThread(thread, userId, request, signal) {
  const done = new AbortController();
  const look = () => {
    if (!thread.caughtUp) return;
    done.abort();
    if (thread.title !== null || thread.members.get(userId)?.role !== "owner") return;
    name(thread.id, userId, request).catch(() => {});
  };
  thread.addEventListener("change", look, { signal: AbortSignal.any([signal, done.signal]) });
  look();
}

/** @param {string} threadId @param {string} userId @param {typeof fetch} request */
async function name(threadId, userId, request) {
  const address = `/api/chat/threads/${encodeURIComponent(threadId)}`;
  const headers = { "Content-Type": "application/json", "X-User-Id": userId };
  // A client that has caught up may not have heard the title yet.
  const known = await (await request(address, { headers })).json();
  if (known.title !== null) return;
  await request(address, { method: "PATCH", headers, body: JSON.stringify({ title: nameOf(threadId) }) });
}

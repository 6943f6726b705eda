/**
 * What the browser says about the page: seen or not, online or not.
 *
 * Promises: outside a page (Node, a worker) it counts as seen, and nothing ever happens.
 */

export const isVisible = () => globalThis.document?.visibilityState !== "hidden";

/** @param {(event: "visible" | "hidden" | "online" | "offline") => void} told @returns {() => void} stops it */
export function watchPage(told) {
  const seen = () => told(isVisible() ? "visible" : "hidden");
  const online = () => told("online");
  const offline = () => told("offline");
  globalThis.document?.addEventListener("visibilitychange", seen);
  globalThis.addEventListener?.("online", online);
  globalThis.addEventListener?.("offline", offline);
  return () => {
    globalThis.document?.removeEventListener("visibilitychange", seen);
    globalThis.removeEventListener?.("online", online);
    globalThis.removeEventListener?.("offline", offline);
  };
}

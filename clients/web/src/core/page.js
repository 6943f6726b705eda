/**
 * What the browser says about the page: seen or not, online or not, put aside (into the browser's cache) or back.
 *
 * Promises: outside a page (Node, a worker) it counts as seen, and nothing ever happens.
 */

import { isVisible } from "./visibility.js";

/** @typedef {"visible" | "hidden" | "online" | "offline" | "aside" | "back"} PageEvent */

export { isVisible };

/** @param {(event: PageEvent) => void} told @returns {() => void} stops it */
export function watchPage(told) {
  const stop = new AbortController();
  /** @param {string} type @param {(event: any) => void} listener @param {any} [target] */
  const on = (type, listener, target = globalThis) => target.addEventListener?.(type, listener, stop);
  on("online", () => told("online"));
  on("offline", () => told("offline"));
  on("pagehide", ({ persisted }) => persisted && told("aside"));
  on("pageshow", ({ persisted }) => persisted && told("back"));
  on("visibilitychange", () => told(isVisible() ? "visible" : "hidden"), globalThis.document ?? {});
  return () => stop.abort();
}

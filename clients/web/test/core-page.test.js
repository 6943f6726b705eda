// What the browser says about the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isVisible, watchPage } from "../src/core/page.js";

/** A browser's window for the length of a test. */
function page(t, visibilityState = "visible") {
  const document = Object.assign(new EventTarget(), { visibilityState });
  const window = new EventTarget();
  const restored = ["document", "addEventListener", "removeEventListener"].map((name) => [name, globalThis[name]]);
  globalThis.document = document;
  globalThis.addEventListener = window.addEventListener.bind(window);
  globalThis.removeEventListener = window.removeEventListener.bind(window);
  t.after(() => restored.forEach(([name, value]) => (globalThis[name] = value)));
  return {
    shows(state) {
      document.visibilityState = state;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    tells: (type, more) => window.dispatchEvent(Object.assign(new Event(type), more)),
  };
}

test("outside a page it counts as seen, and nothing ever happens", () => {
  assert.equal(isVisible(), true);
  watchPage(() => assert.fail("nothing happens"))();
});

test("a page that the browser puts aside is told, and that it is back; one that ends is not", (t) => {
  const browser = page(t);
  const told = [];
  const stop = watchPage((event) => told.push(event));
  for (const [type, persisted] of [["pagehide", true], ["pageshow", true], ["pagehide", false], ["pageshow", false]]) {
    browser.tells(type, { persisted });
  }
  stop();
  assert.deepEqual(told, ["aside", "back"]);
});

test("it tells what happens to the page until it is stopped", (t) => {
  const browser = page(t);
  const told = [];
  const stop = watchPage((event) => told.push(event));
  browser.shows("hidden");
  assert.equal(isVisible(), false);
  browser.shows("visible");
  browser.tells("offline");
  browser.tells("online");
  stop();
  browser.shows("hidden");
  browser.tells("online");
  assert.deepEqual(told, ["hidden", "visible", "offline", "online"]);
});

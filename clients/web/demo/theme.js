/**
 * Light, dark, or as the system has it.
 *
 * Promises: the choice is kept, and says what pressing the button does next.
 */

import { found } from "./build.js";

const KEPT = "chatterbus-demo-theme";
const NEXT = { auto: "dark", dark: "light", light: "auto" };
const SIGNS = { auto: "◐", dark: "☾", light: "☀" };
const NAMES = { auto: "as the system", dark: "dark", light: "light" };

/** @typedef {keyof typeof NEXT} Theme */

export function startTheme() {
  const asked = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem(KEPT) ?? "auto";
  show(/** @type {Theme} */ (asked in NEXT ? asked : "auto"));
  found("theme").addEventListener("click", () => {
    const next = NEXT[/** @type {Theme} */ (document.documentElement.dataset.theme)];
    localStorage.setItem(KEPT, next);
    show(/** @type {Theme} */ (next));
  });
}

/** @param {Theme} theme */
function show(theme) {
  document.documentElement.dataset.theme = theme;
  const button = found("theme");
  button.textContent = SIGNS[theme];
  button.title = `Colours: ${NAMES[theme]}`;
  button.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
}

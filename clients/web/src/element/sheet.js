/**
 * Dresses a shadow root.
 *
 * Promises constructable style sheets, shared by all elements of a page, where the browser has them: a strict CSP
 * (`style-src 'self'`) does not touch those. Elsewhere a <style>, which such a CSP would refuse.
 */

/** @type {Map<string, CSSStyleSheet>} */
const SHEETS = new Map();

/** @param {ShadowRoot} root @param {string} css */
export function dress(root, css) {
  if (!("adoptedStyleSheets" in root)) {
    const style = document.createElement("style");
    style.textContent = css;
    /** @type {ShadowRoot} */ (root).prepend(style);
    return;
  }
  const sheet = SHEETS.get(css) ?? new CSSStyleSheet();
  if (!SHEETS.has(css)) sheet.replaceSync(css);
  SHEETS.set(css, sheet);
  root.adoptedStyleSheets = [sheet];
}
